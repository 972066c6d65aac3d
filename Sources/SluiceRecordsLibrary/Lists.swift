// The functions of sluice_records.h on deletion, sync state, lists and locks.
//
// The compiler compares each with the header, so its name is the header's.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

internal import CSluiceLibrary
public import CSluiceRecords
internal import SluiceLibrary
internal import SluiceRecords

// MARK: Deletion

@c @implementation
public func sluice_records_mark_delete_as_valid(
  _ store: OpaquePointer?, _ id: sluice_records_text
) -> Int32 {
  unsafe post(store) { (client) throws(CallFailure) in
    client.storage.markDeleteAsValid(try unsafe id.name())
  }
}

@c @implementation
public func sluice_records_enable_erasure(_ store: OpaquePointer?) -> Int32 {
  unsafe post(store) { (client) throws(CallFailure) in client.storage.enableErasure() }
}

@c @implementation
public func sluice_records_erase(
  _ store: OpaquePointer?, _ done: sluice_records_done?, _ context: UnsafeMutableRawPointer?
) -> Int32 {
  unsafe call(store, done, context) { (call) throws(CallFailure) in
    call.client.storage.eraseDeletedValues { call.end($0) }
  }
}

// MARK: Sync state

@c @implementation
public func sluice_records_track(
  _ store: OpaquePointer?, _ given: UnsafePointer<sluice_records_update>?, _ count: Int,
  _ done: sluice_records_done?, _ context: UnsafeMutableRawPointer?
) -> Int32 {
  unsafe call(store, done, context) { (call) throws(CallFailure) in
    call.client.storage.trackSyncState(try unsafe updates(given, count)) { call.end($0) }
  }
}

@c @implementation
public func sluice_records_stop_tracking(
  _ store: OpaquePointer?, _ id: sluice_records_text
) -> Int32 {
  unsafe post(store) { (client) throws(CallFailure) in
    client.storage.stopTrackingSyncState(of: try unsafe id.name())
  }
}

// MARK: Lists

/// Hands ids out one after another, and ends the call.
private func give(_ ids: [RecordID]?, _ take: sluice_records_take_id, _ call: Call) {
  guard let ids else { return call.end(false) }
  _ = call.withCallback {
    for id in ids { unsafe take(call.context, sluice_records_text(id.bytes)) }
  }
  call.end(nil)
}

@c @implementation
public func sluice_records_unsynced(
  _ store: OpaquePointer?, _ take: sluice_records_take_id?, _ done: sluice_records_done?,
  _ context: UnsafeMutableRawPointer?
) -> Int32 {
  unsafe call(store, done, context) { (call) throws(CallFailure) in
    guard let take = unsafe take else { throw .noTaker }
    call.client.storage.unsyncedIDs { unsafe give($0, take, call) }
  }
}

@c @implementation
public func sluice_records_ids(
  _ store: OpaquePointer?, _ limit: UInt64, _ offset: UInt64, _ take: sluice_records_take_id?,
  _ done: sluice_records_done?, _ context: UnsafeMutableRawPointer?
) -> Int32 {
  unsafe call(store, done, context) { (call) throws(CallFailure) in
    guard let take = unsafe take else { throw .noTaker }
    call.client.storage.ids(limit: limit, offset: offset) { unsafe give($0, take, call) }
  }
}

/// A place of the caller's for a result.
@safe
private struct Place<T>: @unchecked Sendable {
  private let place: UnsafeMutablePointer<T>

  init(_ place: UnsafeMutablePointer<T>?) throws(CallFailure) {
    guard let place = unsafe place else {
      throw .own(SLUICE_MISUSE, "the place for the result is NULL")
    }
    unsafe self.place = unsafe place
  }

  func put(_ value: T) { unsafe place.pointee = value }
}

@c @implementation
public func sluice_records_count(
  _ store: OpaquePointer?, _ count: UnsafeMutablePointer<UInt64>?, _ done: sluice_records_done?,
  _ context: UnsafeMutableRawPointer?
) -> Int32 {
  unsafe call(store, done, context) { (call) throws(CallFailure) in
    let place = try unsafe Place(count)
    call.client.storage.count { number in
      guard let number else { return call.end(false) }
      _ = call.withCallback { place.put(number) }
      call.end(nil)
    }
  }
}

// MARK: Reconciliation

@c @implementation
public func sluice_records_lock(
  _ store: OpaquePointer?, _ action: Int32, _ peer: sluice_records_text,
  _ holder: sluice_records_text, _ offset: UInt64,
  _ answer: UnsafeMutablePointer<sluice_records_lock_answer>?, _ done: sluice_records_done?,
  _ context: UnsafeMutableRawPointer?
) -> Int32 {
  unsafe call(store, done, context) { (call) throws(CallFailure) in
    let place = try unsafe Place(answer)
    let (peer, holder) = try unsafe (peer.name(), holder.name())
    let end: @Sendable (RecordLockAnswer?) -> Void = { answer in
      guard let answer else { return call.end(false) }
      _ = call.withCallback { place.put(answer.given) }
      call.end(nil)
    }
    let storage = call.client.storage
    switch action {
    case SLUICE_RECORDS_ACQUIRE:
      storage.acquireReconciliationLock(of: peer, holder: holder, done: end)
    case SLUICE_RECORDS_RENEW:
      storage.renewReconciliationLock(of: peer, holder: holder, offset: offset, done: end)
    case SLUICE_RECORDS_RELEASE:
      storage.releaseReconciliationLock(of: peer, holder: holder, done: end)
    default:
      throw .own(SLUICE_MISUSE, "the action is none of SLUICE_RECORDS_ACQUIRE, RENEW and RELEASE")
    }
  }
}

extension RecordLockAnswer {
  fileprivate var given: sluice_records_lock_answer {
    switch self {
    case .done(let offset):
      sluice_records_lock_answer(offset: offset, outcome: SLUICE_RECORDS_LOCK_DONE, reserved: 0)
    case .notDue:
      sluice_records_lock_answer(offset: 0, outcome: SLUICE_RECORDS_LOCK_NOT_DUE, reserved: 0)
    case .held:
      sluice_records_lock_answer(offset: 0, outcome: SLUICE_RECORDS_LOCK_HELD, reserved: 0)
    case .notHolder:
      sluice_records_lock_answer(offset: 0, outcome: SLUICE_RECORDS_LOCK_NOT_HOLDER, reserved: 0)
    }
  }
}
