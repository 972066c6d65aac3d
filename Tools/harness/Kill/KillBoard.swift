// Shared memory between a run of `kill` or `soak` and its workers: what each has begun, what was
// acknowledged to it, how long its calls took. A SIGKILL takes nothing of it back, so what stands
// here is what the worker knew when it died.
//
// One line of 512 bytes for each worker: words, each written by one side only, then a text. The line
// after the last is the run's own.

internal import CSluice
internal import SluiceSystem
internal import Synchronization

/// What a worker is told to do.
enum WorkerCommand: UInt64 {
  case work = 0
  /// Finish the transaction, then hold nothing and wait.
  case pause
}

enum WorkerState: UInt64 {
  case starting = 0
  case working, paused
  /// Its sidecar is dead, and it tries to reach the next one.
  case disconnected
  /// It found something wrong: the text says what.
  case failed
}

/// How far a worker's transaction is.
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
    /// When the call of SQLite that is under way began, in nanoseconds; 0 between calls.
    case callBegan
    case longestCall
    /// How many calls took longer than a second.
    case slowCalls
    case disconnections
    // By store, from here on: the number of the last transaction that was begun, and of the last
    // whose COMMIT has returned.
    case begun = 16
    case acknowledged = 24
    /// In the run's own line: even while a sidecar lives; counts each kill, before, and each start,
    /// afterwards.
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

  /// The worker's last words, by the worker alone, before it says that it has failed.
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
