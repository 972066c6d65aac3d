// Shared memory between a run of `kill` or `soak` and its workers. The board has the transactions
// that each worker began, those that were acknowledged to it, and how long its calls took. A
// SIGKILL undoes no write, so the board shows what the worker knew when it died.
//
// Each worker has one line of 512 bytes: words, each written by one side only, and a text. The line
// after the last worker's belongs to the run.

internal import CSluice
internal import SluiceSystem
internal import Synchronization

/// The run's orders to a worker.
enum WorkerCommand: UInt64 {
  case work = 0
  /// Finish the transaction, then hold no lock and wait.
  case pause
}

enum WorkerState: UInt64 {
  case starting = 0
  case working, paused
  /// Its sidecar is dead, and it tries to reach the next one.
  case disconnected
  /// It found something wrong; its text says what.
  case failed
}

/// The part of a transaction that a worker is in.
enum TransactionPhase: UInt64, CaseIterable {
  case between = 0
  case begin, statements, commit
}

/// Any thread; the words are atomic.
@safe
final class KillBoard: Sendable {
  enum Field: Int {
    // Written by the run.
    case command = 0
    // Written by the worker.
    case state, store, phase
    /// When the present call of SQLite began, in nanoseconds; 0 between calls.
    case callBegan
    case longestCall
    /// How many calls took longer than a second.
    case slowCalls
    case disconnections
    // From here on one word for each store: the number of the last transaction that was begun, and
    // of the last one whose COMMIT returned.
    case begun = 16
    case acknowledged = 24
    /// In the run's own line. It counts each kill, before the kill, and each start, after the
    /// start: it is even while a sidecar lives.
    case sidecarEpoch = 31
  }

  private static let lineByteCount = 512
  private static let textOffset = 256
  private static let textByteCountMaximum = 240

  let workers: Int
  private let mapping: Mapping

  static func byteCount(workers: Int) -> Int { (workers + 1) * lineByteCount }

  init(_ descriptor: borrowing FileDescriptor, workers: Int) throws(Errno) {
    mapping = try Mapping(descriptor, byteCount: KillBoard.byteCount(workers: workers))
    self.workers = workers
  }

  // MARK: Words

  private func word(_ line: Int, _ field: Int) -> UnsafePointer<Atomic<UInt64>> {
    precondition(line <= workers && field < 32, "a word of the board")
    return unsafe UnsafePointer(
      (mapping.start + line * KillBoard.lineByteCount + field * 8)
        .assumingMemoryBound(to: Atomic<UInt64>.self))
  }

  subscript(worker: Int, field: Field) -> UInt64 {
    get { unsafe word(worker, field.rawValue).pointee.load(ordering: .sequentiallyConsistent) }
    set {
      unsafe word(worker, field.rawValue).pointee.store(newValue, ordering: .sequentiallyConsistent)
    }
  }

  subscript(worker: Int, field: Field, store: KillStore) -> UInt64 {
    get {
      unsafe word(worker, field.rawValue + store.rawValue).pointee
        .load(ordering: .sequentiallyConsistent)
    }
    set {
      unsafe word(worker, field.rawValue + store.rawValue).pointee
        .store(newValue, ordering: .sequentiallyConsistent)
    }
  }

  var sidecarEpoch: UInt64 {
    get { self[workers, .sidecarEpoch] }
    set { self[workers, .sidecarEpoch] = newValue }
  }

  func state(of worker: Int) -> WorkerState {
    WorkerState(rawValue: self[worker, .state]) ?? .failed
  }

  func command(_ command: WorkerCommand, to worker: Int) {
    self[worker, .command] = command.rawValue
  }

  // MARK: Texts

  /// The worker's last words. Only the worker writes them, before it reports that it has failed.
  func setText(_ text: String, of worker: Int) {
    let start =
      unsafe mapping.start + worker * KillBoard.lineByteCount + KillBoard.textOffset
    let bytes = Array(text.utf8.prefix(KillBoard.textByteCountMaximum)) + [0]
    unsafe bytes.withUnsafeBytes {
      unsafe start.copyMemory(from: $0.baseAddress!, byteCount: $0.count)
    }
  }

  func text(of worker: Int) -> String {
    let start =
      unsafe mapping.start + worker * KillBoard.lineByteCount + KillBoard.textOffset
    let bytes = unsafe UnsafeRawBufferPointer(start: start, count: KillBoard.textByteCountMaximum)
    return unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }
}
