// An engine in another process, through `RecordStorage`: the calls of the original's interface, with
// closures that the storage's own thread calls.

internal import SluiceChannel
internal import SluiceClient
internal import SluiceCommand
internal import SluiceRecords
internal import SluiceSystem
internal import Synchronization
internal import ToolSupport

/// Confined to one thread.
struct StorageRecordsSide: RecordsSide {
  private let storage: RecordStorage
  private let board = Board()

  /// What the storage's thread tells.
  private final class Board: @unchecked Sendable {
    let wake = WakeWord()
    let waiting = Atomic<Int>(0)
    let failures = Atomic<Int>(0)
    /// Written by the storage's thread while the other waits.
    var taken = LoadedTransactions(isParsed: false)

    func end(_ isGood: Bool) {
      if !isGood { failures.add(1, ordering: .relaxed) }
      // SYNC waiting
      if waiting.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { wake.signal() }
    }

    func wait(_ what: String) throws(ToolError) {
      while true {
        let signals = wake.signals
        // SYNC waiting
        if waiting.load(ordering: .acquiring) == 0 { break }
        wake.wait(after: signals, timeoutNanoseconds: 1_000_000_000)
      }
      if failures.load(ordering: .relaxed) > 0 { throw .failed("\(what) failed") }
    }
  }

  init(_ path: String, at place: EnginePlace) throws(ToolError) {
    let board = StartBoard()
    Task.detached {
      do {
        let storage = try await RecordStorage.start(
          path, RecordOpenOptions(), { (_, text) in printError("storage: \(text)") }
        ) { () throws(RecordFailure) in
          do throws(ToolError) { return try place.connect() } catch {
            throw .notConnected(.programNotFound)
          }
        }
        board.storage.withLock { $0 = storage }
      } catch { board.failure.withLock { $0 = "\(error)" } }
    }
    while true {
      if let storage = board.storage.withLock({ $0 }) {
        self.storage = storage
        return
      }
      if let failure = board.failure.withLock({ $0 }) { throw .failed("the engine: \(failure)") }
      Clock.sleep(nanoseconds: 1_000_000)
    }
  }

  private final class StartBoard: Sendable {
    let storage = FutexLock<RecordStorage?>(nil)
    let failure = FutexLock<String?>(nil)
  }

  func prepare(_ message: RecordMessage) -> RecordMessage { message }

  mutating func store(_ message: RecordMessage) throws(ToolError) { try storeAll([message]) }

  mutating func storeAll(_ messages: [RecordMessage]) throws(ToolError) {
    let board = board
    board.waiting.store(messages.count, ordering: .releasing)
    for message in messages {
      storage.store(message, correction: { _ in nil }, done: { board.end($0) })
    }
    try board.wait("a store")
  }

  mutating func load(_ id: [UInt8], parsed: Bool) throws(ToolError) -> Int {
    let board = board
    board.taken = LoadedTransactions(isParsed: parsed)
    board.waiting.store(1, ordering: .releasing)
    storage.load(
      RecordID(id),
      message: { message in
        if parsed { board.taken.takeParsed(message) } else { board.taken.take(message) }
      },
      done: { board.end($0) })
    try board.wait("a load")
    return board.taken.count
  }
}
