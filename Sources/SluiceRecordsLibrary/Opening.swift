// The functions of sluice_records.h on stores as a whole.
//
// The compiler compares each with the header, so its name is the header's.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

internal import CSluice
internal import CSluiceLibrary
public import CSluiceRecords
internal import SluiceChannel
internal import SluiceClient
internal import SluiceLibrary
internal import SluiceRecords
internal import SluiceSystem

@c @implementation
public func sluice_records_open(
  _ path: UnsafePointer<CChar>?, _ options: UnsafePointer<sluice_records_options>?,
  _ store: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  unsafe store?.pointee = nil
  return attempt { () throws(CallFailure) in
    guard let path = unsafe path, let store = unsafe store else {
      throw .own(SLUICE_MISUSE, "the path or the place for the store is NULL")
    }
    let client = try unsafe open(
      Array(UnsafeRawBufferPointer(start: path, count: strlen(path))), given(options))
    unsafe store.pointee = Handle.make(client)
  }
}

private func given(
  _ options: UnsafePointer<sluice_records_options>?
) throws(CallFailure) -> sluice_records_options {
  guard let options = unsafe options else { return unsafe sluice_records_options() }
  guard unsafe options.pointee.byte_count >= MemoryLayout<sluice_records_options>.size else {
    throw .own(SLUICE_MISUSE, "byte_count is not sizeof(struct sluice_records_options)")
  }
  return unsafe options.pointee
}

/// What a program is told, in the storage's thread.
@safe
private struct Log: @unchecked Sendable {
  let function:
    (@convention(c) (UnsafeMutableRawPointer?, Int32, UnsafePointer<CChar>?, Int) -> Void)?
  let context: UnsafeMutableRawPointer?

  func tell(_ level: RecordLogLevel, _ text: [UInt8]) {
    guard let function = unsafe function else { return }
    unsafe text.withUnsafeBytes {
      unsafe function(
        context, level == .error ? 0 : 1, $0.baseAddress?.assumingMemoryBound(to: CChar.self),
        $0.count)
    }
  }
}

private func open(
  _ path: [UInt8], _ given: sluice_records_options
) throws(CallFailure) -> Client {
  let options = try unsafe recordOptions(given)
  let log = unsafe Log(function: given.log, context: given.log_context)
  let words = LogWords()
  let session = try unsafe EnginePlace(given.socket).connect { $0 }
  let opening = StorageOpening()
  RecordStorage.start(
    path: path, options,
    { (level, text) in
      let text = Array(text.utf8)
      words.keep(text)
      log.tell(level, text)
    },
    connect: { () throws(RecordFailure) in session },
    opened: { opening.end($0) })
  let (result, threadID) = opening.wait()
  switch result {
  case .success(let storage): return Client(storage, words, threadID: threadID)
  case .failure(.refused(.notFound)):
    throw .own(SLUICE_CANTOPEN, "there is no such store; SLUICE_RECORDS_EITHER would create it")
  case .failure(let failure): throw .records(failure)
  }
}

private func recordOptions(
  _ given: sluice_records_options
) throws(CallFailure) -> RecordOpenOptions {
  var options = RecordOpenOptions()
  switch unsafe Int32(clamping: given.mode) {
  case SLUICE_RECORDS_EITHER: options.mode = .either
  case SLUICE_RECORDS_OPEN: options.mode = .open
  case SLUICE_RECORDS_CREATE: options.mode = .create
  default: throw .own(SLUICE_MISUSE, "the mode is none of SLUICE_RECORDS_EITHER, OPEN and CREATE")
  }
  guard let durability = unsafe RecordDurability(rawValue: UInt64(given.durability)) else {
    throw .own(SLUICE_MISUSE, "the durability is none of SLUICE_RECORDS_NORMAL and FULL")
  }
  options.durability = durability
  guard unsafe (0...3_600_000).contains(given.busy_milliseconds) else {
    throw .own(SLUICE_MISUSE, "busy_milliseconds is below 0, or more than an hour (3,600,000)")
  }
  if unsafe given.busy_milliseconds > 0 {
    options.busyMilliseconds = unsafe given.busy_milliseconds
  }
  guard unsafe given.signature_interval <= 1 << 31 else {
    throw .own(SLUICE_MISUSE, "signature_interval is more than 2^31")
  }
  if unsafe given.signature_interval > 0 {
    options.signatureInterval = unsafe given.signature_interval
  }
  return options
}

/// Waits until a storage's thread has opened the store.
private final class StorageOpening: Sendable {
  private typealias Outcome = (result: Result<RecordStorage, RecordFailure>, threadID: Int32)
  private let outcome = FutexLock<Outcome?>(nil)
  private let wake = WakeWord()

  func end(_ result: Result<RecordStorage, RecordFailure>) {
    outcome.withLock { $0 = (result, sluice_thread_id()) }
    wake.signal()
  }

  func wait() -> (Result<RecordStorage, RecordFailure>, threadID: Int32) {
    while true {
      let signals = wake.signals
      if let (result, threadID) = outcome.withLock({ $0 }) { return (result, threadID) }
      wake.wait(after: signals, timeoutNanoseconds: 1_000_000_000)
    }
  }
}

// MARK: The end

@c @implementation
public func sluice_records_close(
  _ store: OpaquePointer?, _ done: sluice_records_done?, _ context: UnsafeMutableRawPointer?
) -> Int32 {
  guard let handle = unsafe store else { return SLUICE_OK }
  guard let client = unsafe Handle.object(handle, .client, as: Client.self) else {
    return note(.noStore)
  }
  // The parent has the thread, and may have had the locks; what is here is left to the process's end.
  if !client.isOfThisProcess {
    unsafe done?(context, SLUICE_OK)
    return SLUICE_OK
  }
  if unsafe done == nil, client.isInCallback { return note(.inCallback) }
  unsafe Handle.close(handle)
  client.noteClose()
  let call = unsafe Call(client, done, context)
  client.storage.close { call.end(nil) }
  return unsafe done == nil ? call.wait() : SLUICE_OK
}

@c @implementation
public func sluice_records_cancel(_ store: OpaquePointer?) -> Int32 {
  unsafe post(store) { (client) throws(CallFailure) in client.cancel() }
}

@c @implementation
public func sluice_records_durability(_ store: OpaquePointer?) -> Int32 {
  guard let client = unsafe Handle.object(store, .client, as: Client.self) else {
    return SLUICE_RECORDS_NORMAL
  }
  return Int32(client.storage.durability.rawValue)
}
