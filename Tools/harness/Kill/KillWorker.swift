// A worker of `kill` and `soak`: a process that does transactions in both databases until it is
// killed. On the board it says what it begins, and what was acknowledged to it. When its sidecar
// dies, it goes on with its connections or opens its databases anew.

internal import CSQLite
internal import CSluice
internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

/// Confined to one thread.
final class KillWorker {
  private let board: KillBoard
  private let worker: Int
  private let targets: [Target]
  private let sqlite: SQLiteLibrary
  private let restNanoseconds: Int64
  private let acknowledgesEarly: Bool
  private var random: SplitMix64
  private var stores: [Store] = []

  /// Why a transaction did not succeed.
  private enum Trouble: Error {
    /// SQLite returned an error, as it does when a sidecar dies.
    case failed(String)
    /// A fault that no death explains.
    case wrong(String)
  }

  private static let busyMilliseconds: Int32 = 30_000
  private static let slowNanoseconds: Int64 = 1_000_000_000

  /// An open database.
  private struct Store {
    let store: KillStore
    let connection: SQLiteConnection
    let begin: SQLiteStatement
    let commit: SQLiteStatement
    let rollback: SQLiteStatement
    let small: [SQLiteStatement]
    let large: [SQLiteStatement]
  }

  /// What `sluice-harness peer worker` does. Descriptor 3 is the board.
  static func run(_ options: inout Options) throws(CommandError) {
    let worker = try options.number("--worker", in: 0...1000, or: 0)
    let workers = try options.number("--workers", in: 1...1000, or: 1)
    let seed = try options.number("--seed", in: 0...Int.max, or: 0)
    let rest = try options.number("--rest", in: 0...1_000_000, or: 0)
    let early = options.flag("--acknowledge-early")
    guard let root = try options.value("--root") else { throw .usage("--root is missing") }
    let socket = try options.value("--socket")
    let library = try options.value("--library")
    try options.finish()
    guard descriptorIsOpen(3) else { throw .usage("'sluice-harness' starts this") }
    do throws(Errno) {
      let board = try KillBoard(FileDescriptor(owning: 3), workers: workers)
      do throws(ToolError) {
        var targets: [Target] = []
        for store in KillStore.allCases {
          var target = Target(path: root + "/" + store.fileName)
          if let socket {
            target.vfs = "sluice"
            target.library = library
            target.parameters = ["socket=" + socket]
          }
          targets.append(target)
        }
        try KillWorker(
          board, worker: worker, targets: targets, seed: UInt64(seed),
          restNanoseconds: Int64(rest) * 1000, acknowledgesEarly: early
        ).work()
      } catch {
        board.setText("\(error)", of: worker)
        board[worker, .state] = WorkerState.failed.rawValue
      }
    } catch {
      throw .failed("peer: \(unsafe String(cString: error.text))")
    }
  }

  private init(
    _ board: KillBoard, worker: Int, targets: [Target], seed: UInt64, restNanoseconds: Int64,
    acknowledgesEarly: Bool
  ) throws(ToolError) {
    self.board = board
    self.worker = worker
    self.targets = targets
    self.restNanoseconds = restNanoseconds
    self.acknowledgesEarly = acknowledgesEarly
    random = SplitMix64(seed: seed)
    sqlite = try SQLiteLibrary()
  }

  private func work() -> Never {
    while true {
      let epoch = board.sidecarEpoch
      do throws(Trouble) {
        if stores.isEmpty { try open() }
        while true {
          if isPaused { pause() }
          set(.working)
          try transact(random.below(stores.count))
          if restNanoseconds > 0 { Clock.sleep(nanoseconds: restNanoseconds) }
        }
      } catch {
        switch error {
        // Its sidecar was killed, or there is none yet. There is no other excuse.
        case .failed(let text) where board.sidecarEpoch != epoch || !epoch.isMultiple(of: 2):
          disconnect(text)
        case .failed(let text), .wrong(let text): fail(text)
        }
      }
    }
  }

  // MARK: States

  private func set(_ state: WorkerState) { board[worker, .state] = state.rawValue }

  private var isPaused: Bool { board[worker, .command] == WorkerCommand.pause.rawValue }

  private func pause() {
    set(.paused)
    while isPaused { Clock.sleep(nanoseconds: 200_000) }
  }

  private func disconnect(_ text: String) {
    board.setText(text, of: worker)
    if stores.count < targets.count || random.once(in: 2) {
      stores = []
    } else {
      for store in stores {
        // Nearly always this is an error, because SQLite has rolled back already.
        _ = timed { store.rollback.step() }
        store.rollback.reset()
      }
    }
    board[worker, .phase] = TransactionPhase.between.rawValue
    board[worker, .disconnections] += 1
    repeat {
      set(.disconnected)
      Clock.sleep(nanoseconds: 1_000_000)
    } while isPaused
  }

  private func fail(_ text: String) -> Never {
    board.setText(text, of: worker)
    set(.failed)
    while true { Clock.sleep(nanoseconds: 1_000_000_000) }
  }

  // MARK: Work

  private func open() throws(Trouble) {
    for (store, target) in zip(KillStore.allCases, targets) {
      do throws(ToolError) {
        stores.append(try timed { () throws(ToolError) in try open(store, target) })
      } catch {
        throw trouble(error)
      }
      _ = try count(stores[stores.count - 1])
    }
  }

  private func open(_ store: KillStore, _ target: Target) throws(ToolError) -> Store {
    let connection = try SQLiteConnection(sqlite, target)
    connection.setBusyTimeout(milliseconds: KillWorker.busyMilliseconds)
    try connection.execute("PRAGMA synchronous = FULL")
    try connection.execute("PRAGMA wal_autocheckpoint = 16")
    // Half of the workers have little memory: they write to the database before they commit.
    if worker.isMultiple(of: 2) { try connection.execute("PRAGMA cache_size = 8") }
    func prepared(_ sql: [String]) throws(ToolError) -> [SQLiteStatement] {
      var statements: [SQLiteStatement] = []
      for text in sql { statements.append(try connection.prepare(text)) }
      return statements
    }
    return Store(
      store: store, connection: connection, begin: try connection.prepare("BEGIN IMMEDIATE"),
      commit: try connection.prepare("COMMIT"), rollback: try connection.prepare("ROLLBACK"),
      small: try prepared(KillStore.small(worker: worker)),
      large: try prepared(KillStore.large(worker: worker)))
  }

  /// The number of this worker's transactions that are there.
  private func count(_ store: Store) throws(Trouble) -> UInt64 {
    let answer: String?
    do throws(ToolError) {
      answer = try timed { () throws(ToolError) in
        try store.connection.execute(KillStore.read(worker: worker))
      }
    } catch {
      throw trouble(error)
    }
    guard let n = answer.flatMap({ UInt64($0) }) else {
      throw .wrong("\(store.store.fileName): not a database of this run")
    }
    if let wrong = KillAudit(store: store.store, board: board).misplaced(n, worker: worker) {
      throw .wrong("proxied: " + wrong)
    }
    return n
  }

  private func trouble(_ error: ToolError) -> Trouble {
    let text = harnessError(error).text
    return text.contains("malformed") || text.contains("not a database")
      ? .wrong(text) : .failed(text)
  }

  /// Does one transaction. It reads the present number within the transaction: the worker before
  /// this one may have been killed in a commit that a later recovery, after a sidecar's death,
  /// finds to be whole.
  private func transact(_ index: Int) throws(Trouble) {
    let store = stores[index].store
    board[worker, .store] = UInt64(store.rawValue)
    try run(stores[index].begin, .begin, index)
    let number = try count(stores[index]) + 1
    board[worker, .begun, store] = number
    if acknowledgesEarly { board[worker, .acknowledged, store] = number }
    for statement in random.once(in: 8) ? stores[index].large : stores[index].small {
      statement.bind(Int64(number))
      try run(statement, .statements, index)
    }
    if random.once(in: 12) {
      try run(stores[index].rollback, .commit, index)
    } else {
      try run(stores[index].commit, .commit, index)
      board[worker, .acknowledged, store] = number
    }
    board[worker, .phase] = TransactionPhase.between.rawValue
  }

  private func run(
    _ statement: SQLiteStatement, _ phase: TransactionPhase, _ index: Int
  ) throws(Trouble) {
    board[worker, .phase] = phase.rawValue
    let code = timed { statement.step() }
    statement.reset()
    if code == SQLITE_DONE { return }
    let text =
      "\(stores[index].store.fileName), \(phase): \(stores[index].connection.message) (\(code))"
    switch code & 0xff {
    case SQLITE_IOERR, SQLITE_CANTOPEN, SQLITE_PROTOCOL: throw .failed(text)
    default: throw .wrong(text)
    }
  }

  /// Runs one call of SQLite, and notes how long it took.
  private func timed<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
    let began = Clock.monotonicNanoseconds()
    board[worker, .callBegan] = UInt64(began)
    defer {
      let took = Clock.monotonicNanoseconds() - began
      board[worker, .callBegan] = 0
      if took > Int64(board[worker, .longestCall]) { board[worker, .longestCall] = UInt64(took) }
      if took > KillWorker.slowNanoseconds { board[worker, .slowCalls] += 1 }
    }
    return try body()
  }
}
