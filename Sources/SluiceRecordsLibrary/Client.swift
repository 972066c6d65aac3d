// A store as C sees it: the storage of SluiceRecords, who waits for it, and what it said last.
//
// Threads: any.

internal import CSluice
internal import CSluiceLibrary
internal import SluiceLibrary
internal import SluiceRecords
internal import SluiceSystem
internal import Synchronization

final class Client: Handled, @unchecked Sendable {
  let storage: RecordStorage
  private let words: LogWords
  private let epoch = ProcessEpoch.current
  /// The storage's own thread, in which callbacks are called.
  private let threadID: Int32
  private let isClosed = Atomic<Bool>(false)
  /// The calls for which threads wait, and which `cancel` ends.
  private let waiting = FutexLock<[Call]>([])

  init(_ storage: RecordStorage, _ words: LogWords, threadID: Int32) {
    self.storage = storage
    self.words = words
    self.threadID = threadID
    super.init(.client)
  }

  /// False in a forked child, which has not got the storage's thread.
  var isOfThisProcess: Bool { epoch.isCurrent }

  /// Whether the calling thread must not wait for the storage.
  var isInCallback: Bool { sluice_thread_id() == threadID }

  func noteClose() { isClosed.store(true, ordering: .relaxed) }

  /// Waits for the outcome of a call, unless `cancel` comes first.
  func wait(for call: Call) -> Int32 {
    waiting.withLock { $0.append(call) }
    defer { waiting.withLock { calls in calls.removeAll { $0 === call } } }
    return call.wait()
  }

  func cancel() { for call in waiting.withLock({ $0 }) { call.giveUp() } }

  /// Why the call failed whose end the storage has just told; `otherwise` if nothing is known to be wrong.
  func takeFailure(otherwise: CallFailure? = nil) -> CallFailure {
    let text = words.take()
    if let failure = storage.loss ?? storage.takeFailure() { return .records(failure) }
    if !text.isEmpty { return CallFailure(SLUICE_ERROR, text) }
    if isClosed.load(ordering: .relaxed) {
      return .own(SLUICE_ERROR, "the store was closed before that")
    }
    return otherwise ?? .own(SLUICE_ERROR, "it could not be done")
  }
}

/// What a storage has said last.
final class LogWords: Sendable {
  private let text = FutexLock<[UInt8]>([])

  func keep(_ words: [UInt8]) { text.withLock { $0 = words } }

  func take() -> [UInt8] {
    text.withLock { text in
      defer { text = [] }
      return text
    }
  }
}

extension HandleKind {
  static var client: HandleKind { 1 }
  static var correction: HandleKind { 2 }
  static var present: HandleKind { 3 }
}
