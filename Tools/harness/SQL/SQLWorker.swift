// A client of `sql kill`: a process that does transactions through the engine until it is killed.
// On the board it says what it begins and what was acknowledged to it. When the engine dies it
// waits for the next one. Whenever it has connected, it looks whether its rows are all there.

internal import CSluice
internal import SluiceCommand
internal import SluiceSQL
internal import SluiceSystem
internal import ToolSupport

/// Confined to one thread.
final class SQLWorker {
  private let board: KillBoard
  private let worker: Int
  private let socket: String
  private let acknowledgesEarly: Bool
  private let isOnState: Bool
  private var random: SplitMix64
  private var side: EngineSide?

  static let store = KillStore.allCases[0]
  static let database = "kill.db"
  static let schema =
    "CREATE TABLE IF NOT EXISTS t(client INTEGER, n INTEGER, part INTEGER, content,"
    + " PRIMARY KEY(client, n, part))"
  private static let partCount = 3

  /// Why a transaction did not succeed.
  private enum Trouble: Error {
    /// As when an engine dies.
    case lost
    case wrong(String)
  }

  /// What `sluice-harness peer sql` does. Descriptor 3 is the board.
  static func run(_ options: inout Options) throws(CommandError) {
    let worker = try options.number("--worker", in: 0...1000, or: 0)
    let workers = try options.number("--workers", in: 1...1000, or: 1)
    let seed = try options.number("--seed", in: 0...Int.max, or: 0)
    let early = options.flag("--acknowledge-early")
    let isOnState = options.flag("--state")
    guard let socket = try options.value("--socket"), descriptorIsOpen(3) else {
      throw .usage("'sluice-harness' starts this")
    }
    try options.finish()
    let board: KillBoard
    do throws(Errno) {
      board = try KillBoard(FileDescriptor(owning: 3), workers: workers)
    } catch { throw .failed("peer: \(unsafe String(cString: error.text))") }
    SQLWorker(
      board, worker, socket: socket, seed: UInt64(seed), acknowledgesEarly: early,
      isOnState: isOnState
    ).work()
  }

  private init(
    _ board: KillBoard, _ worker: Int, socket: String, seed: UInt64, acknowledgesEarly: Bool,
    isOnState: Bool
  ) {
    self.board = board
    self.worker = worker
    self.socket = socket
    self.acknowledgesEarly = acknowledgesEarly
    self.isOnState = isOnState
    random = SplitMix64(seed: seed)
  }

  private func work() {
    while true {
      do throws(Trouble) {
        try connect()
        board[worker, .state] = WorkerState.working.rawValue
        while true { try transact() }
      } catch {
        if case .wrong(let text) = error {
          board.setText(text, of: worker)
          board[worker, .state] = WorkerState.failed.rawValue
          return
        }
        board[worker, .state] = WorkerState.disconnected.rawValue
        board[worker, .callBegan] = 0
        side = nil
        Clock.sleep(nanoseconds: 1_000_000)
      }
    }
  }

  // MARK: Connections

  private var acknowledged: UInt64 {
    get { board[worker, .acknowledged, Self.store] }
    set { board[worker, .acknowledged, Self.store] = newValue }
  }
  private var begun: UInt64 {
    get { board[worker, .begun, Self.store] }
    set { board[worker, .begun, Self.store] = newValue }
  }

  private func connect() throws(Trouble) {
    do throws(HarnessError) {
      side = try EngineSide(
        socket, path: Self.database, options: isOnState ? .state : [], busyMilliseconds: 30_000)
    } catch { throw .lost }
    if isOnState { return try lookAtState() }
    try call(Self.schema)
    // The engine may still be at the last COMMIT of the client before this one, which was killed.
    try call("BEGIN IMMEDIATE")
    let rows = try call(
      "SELECT coalesce(max(n), 0), coalesce(max(n) - min(n) + 1, 0), count(DISTINCT n), count(*) FROM t"
        + " WHERE client = ?", [.integer(Int64(worker))])
    try call("COMMIT")
    let numbers = (rows.first ?? []).compactMap { value -> Int64? in
      if case .integer(let number) = value { number } else { nil }
    }
    guard numbers.count == 4 else { throw .wrong("no counts") }
    let (last, wanted, found, all) = (numbers[0], numbers[1], numbers[2], numbers[3])
    if UInt64(last) < acknowledged {
      throw .wrong("transaction \(acknowledged) was acknowledged, and \(last) is the last")
    }
    if UInt64(last) > begun { throw .wrong("transaction \(last) was never begun") }
    if wanted != found || all != found * Int64(Self.partCount) {
      throw .wrong("transactions up to \(last): \(found) of \(wanted), \(all) rows")
    }
    acknowledged = UInt64(last)
  }

  private func lookAtState() throws(Trouble) {
    let (last, isWhole, found) = try StateWork.numbers(worker) {
      (sql, values) throws(Trouble) in try call(sql, values)
    }
    if last < acknowledged {
      throw .wrong("transaction \(acknowledged) was acknowledged, and \(last) is the last")
    }
    if last > begun { throw .wrong("transaction \(last) was never begun") }
    if !isWhole {
      throw .wrong("the client's entities or file are of several transactions: \(found)")
    }
    acknowledged = last
    // Those that were left over would make each check longer.
    try call("DELETE FROM version WHERE id LIKE 'c\(worker)-%'")
  }

  // MARK: Transactions

  private func transact() throws(Trouble) {
    let number = acknowledged + 1
    begun = max(begun, number)
    if isOnState {
      try StateWork.transact(
        worker, number, &random, early: { if acknowledgesEarly { acknowledged = number } }
      ) { (sql, values) throws(Trouble) in try call(sql, values) }
      acknowledged = number
      return
    }
    let client = SQLValue.integer(Int64(worker))
    let n = SQLValue.integer(Int64(number))
    let content = SQLValue.blob([UInt8](repeating: UInt8(worker), count: random.below(3000)))
    let row = "INSERT INTO t VALUES(?, ?, ?, ?)"
    switch random.below(5) {
    case 0:
      if acknowledgesEarly { acknowledged = number }
      try call(
        "INSERT INTO t VALUES(?1,?2,1,?3),(?1,?2,2,?3),(?1,?2,3,?3) RETURNING part",
        [client, n, content])
    case 1:
      try call("BEGIN IMMEDIATE")
      for part in 1...Int64(3) { try call(row, [client, n, .integer(part), content]) }
      try call("DELETE FROM t WHERE client = ? AND n < ?", [client, .integer(Int64(number) - 50)])
      if acknowledgesEarly { acknowledged = number }
      try call("COMMIT")
    case 2:
      try call("SAVEPOINT outer")
      try call(row, [client, n, .integer(1), content])
      try call("SAVEPOINT inner")
      try call(row, [client, n, .integer(9), content])
      try call("ROLLBACK TO inner")
      for part in 2...Int64(3) { try call(row, [client, n, .integer(part), content]) }
      if acknowledgesEarly { acknowledged = number }
      try call("RELEASE outer")
    case 3:
      try call("BEGIN IMMEDIATE")
      try call(row, [client, n, .integer(1), content])
      try call("ROLLBACK")
      try readHalf()
      let far = SQLValue.blob(
        [UInt8](repeating: UInt8(worker), count: 70_000 + random.below(200_000)))
      try call("BEGIN IMMEDIATE")
      for part in 1...Int64(3) {
        try call(row, [client, n, .integer(part), part == 2 ? far : content])
      }
      if acknowledgesEarly { acknowledged = number }
      try call("COMMIT")
    default:
      try readHalf()
      if acknowledgesEarly { acknowledged = number }
      try call(
        "INSERT INTO t SELECT ?, ?, i, ? FROM (SELECT 1 i UNION SELECT 2 UNION SELECT 3)",
        [client, n, content])
    }
    acknowledged = number
  }

  /// A cursor that is left half read.
  private func readHalf() throws(Trouble) {
    guard let side else { throw .lost }
    board[worker, .callBegan] = UInt64(Clock.monotonicNanoseconds())
    do throws(SQLFailure) {
      let cursor = try side.open("SELECT * FROM t")
      for _ in 0..<random.below(40) where try cursor.step() {}
    } catch { throw .lost }
    board[worker, .callBegan] = 0
  }

  @discardableResult
  private func call(_ sql: String, _ values: [SQLValue] = []) throws(Trouble) -> [[SQLValue]] {
    guard let side else { throw .lost }
    board[worker, .callBegan] = UInt64(Clock.monotonicNanoseconds())
    let result: SQLResult
    do throws(HarnessError) { result = try side.result(sql, values) } catch { throw .lost }
    board[worker, .callBegan] = 0
    if result.code == 0 { return result.rows }
    // I/O errors, while the file sidecar of a dead engine dies.
    if result.code & 0xff == 10 { throw .lost }
    throw .wrong("\(sql): \(result.text)")
  }
}
