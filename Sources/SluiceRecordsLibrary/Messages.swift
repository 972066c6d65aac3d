// The functions of sluice_records.h on messages and known states.
//
// The compiler compares each with the header, so its name is the header's.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

internal import CSluiceLibrary
public import CSluiceRecords
internal import SluiceLibrary
internal import SluiceRecords

// MARK: Stores

/// The messages that a callback has added so far.
private final class Correction: Handled {
  var messages: [RecordMessage] = []
  init() { super.init(.correction) }
}

@c @implementation
public func sluice_records_store(
  _ store: OpaquePointer?, _ given: UnsafePointer<sluice_records_message>?,
  _ correct: sluice_records_correct?, _ done: sluice_records_done?,
  _ context: UnsafeMutableRawPointer?
) -> Int32 {
  let correct = unsafe correct
  return unsafe call(store, done, context) { (call) throws(CallFailure) in
    call.client.storage.store(
      try unsafe message(given),
      correction: { state in
        guard let correct = unsafe correct else { return nil }
        let correction = Correction()
        let handle = unsafe Handle.make(correction)
        defer { unsafe Handle.close(handle) }
        let code = call.withCallback {
          unsafe withState(state) { unsafe correct(call.context, $0, handle) }
        }
        return code == 0 ? correction.messages : nil
      },
      done: { call.end($0) })
  }
}

@c @implementation
public func sluice_records_correct_by(
  _ correction: OpaquePointer?, _ given: UnsafePointer<sluice_records_message>?
) -> Int32 {
  attempt { () throws(CallFailure) in
    guard let correction = unsafe Handle.object(correction, .correction, as: Correction.self)
    else { throw .own(SLUICE_MISUSE, "no correction; it is valid in its callback alone") }
    correction.messages.append(try unsafe message(given))
  }
}

// MARK: Loads

@c @implementation
public func sluice_records_load(
  _ store: OpaquePointer?, _ id: sluice_records_text, _ receive: sluice_records_receive?,
  _ done: sluice_records_done?, _ context: UnsafeMutableRawPointer?
) -> Int32 {
  unsafe call(store, done, context) { (call) throws(CallFailure) in
    guard let receive = unsafe receive else {
      throw .own(SLUICE_MISUSE, "the function that receives the messages is NULL")
    }
    let id = try unsafe id.name()
    call.client.storage.load(
      id,
      message: { message in
        let code = call.withCallback {
          unsafe withMessage(message) { unsafe receive(call.context, $0) }
        }
        if let code, code != 0 { call.abort() }
      },
      done: { isFound in
        call.end(isFound ? nil : call.client.takeFailure(otherwise: .notFound))
      })
  }
}

// MARK: Known states

@c @implementation
public func sluice_records_known_state(
  _ store: OpaquePointer?, _ id: sluice_records_text, _ take: sluice_records_take_state?,
  _ context: UnsafeMutableRawPointer?
) -> Int32 {
  unsafe post(store) { (client) throws(CallFailure) in
    guard let take = unsafe take else { throw .noTaker }
    let id = try unsafe id.name()
    unsafe withState(client.storage.knownState(of: id)) { unsafe take(context, $0) }
  }
}

@c @implementation
public func sluice_records_load_known_state(
  _ store: OpaquePointer?, _ id: sluice_records_text, _ take: sluice_records_take_state?,
  _ done: sluice_records_done?, _ context: UnsafeMutableRawPointer?
) -> Int32 {
  unsafe call(store, done, context) { (call) throws(CallFailure) in
    guard let take = unsafe take else { throw .noTaker }
    let id = try unsafe id.name()
    call.client.storage.loadKnownState(of: id) { state in
      guard let state else {
        return call.end(call.client.takeFailure(otherwise: .notFound))
      }
      _ = call.withCallback { unsafe withState(state) { unsafe take(call.context, $0) } }
      call.end(nil)
    }
  }
}

@c @implementation
public func sluice_records_unmount(_ store: OpaquePointer?, _ id: sluice_records_text) -> Int32 {
  unsafe post(store) { (client) throws(CallFailure) in
    client.storage.unmount(try unsafe id.name())
  }
}

// MARK: Waiting

/// What a callback has told of a value in memory.
private final class Present: Handled {
  var state: RecordKnownState
  init(_ id: RecordID) {
    // Nothing told: nothing is in memory.
    state = RecordKnownState(id)
    super.init(.present)
  }
}

@c @implementation
public func sluice_records_present_is(
  _ present: OpaquePointer?, _ given: UnsafePointer<sluice_records_state>?
) -> Int32 {
  attempt { () throws(CallFailure) in
    guard let present = unsafe Handle.object(present, .present, as: Present.self) else {
      throw .own(SLUICE_MISUSE, "no present state; it is valid in its callback alone")
    }
    present.state = try unsafe state(given)
  }
}

@c @implementation
public func sluice_records_wait_for_sync(
  _ store: OpaquePointer?, _ id: sluice_records_text, _ current: sluice_records_current?,
  _ done: sluice_records_done?, _ context: UnsafeMutableRawPointer?
) -> Int32 {
  unsafe call(store, done, context) { (call) throws(CallFailure) in
    guard let current = unsafe current else {
      throw .own(SLUICE_MISUSE, "the function that tells the present state is NULL")
    }
    let id = try unsafe id.name()
    call.client.storage.waitForSync(
      id,
      current: {
        let present = Present(id)
        let handle = unsafe Handle.make(present)
        defer { unsafe Handle.close(handle) }
        _ = call.withCallback { unsafe current(call.context, handle) }
        return present.state
      },
      done: { call.end($0) })
  }
}

@c @implementation
public func sluice_records_note_change(
  _ store: OpaquePointer?, _ id: sluice_records_text
) -> Int32 {
  unsafe post(store) { (client) throws(CallFailure) in
    client.storage.noteChange(of: try unsafe id.name())
  }
}

extension CallFailure {
  static var notFound: CallFailure { .own(SLUICE_NOTFOUND, "the value is not in the store") }
  static var noTaker: CallFailure {
    .own(SLUICE_MISUSE, "the function that takes the result is NULL")
  }
}
