// The check of a kill run. It compares what stock SQLite finds in a database with what the workers
// began and were told, as the board has it.

internal import ToolSupport

struct KillAudit {
  let store: KillStore
  let board: KillBoard

  /// For each worker: its count of transactions, the number of its entries, and how many are right.
  private static let question =
    "SELECT group_concat(worker || ' ' || n || ' ' || rows || ' ' || good) FROM ("
    + "SELECT t.worker, t.n, count(e.n) AS rows, "
    + "coalesce(sum(e.n > t.n - \(KillStore.kept) AND e.n <= t.n AND e.filler = "
    + KillStore.filler(worker: "e.worker", n: "e.n", part: "e.part") + "), 0) AS good "
    + "FROM tally t LEFT JOIN entry e ON e.worker = t.worker GROUP BY t.worker)"

  /// What is wrong with the database, as stock SQLite sees it; nil if nothing is. No worker may be
  /// in a transaction.
  func damage(_ connection: SQLiteConnection) throws(ToolError) -> String? {
    let integrity = try connection.execute("PRAGMA integrity_check") ?? "nothing"
    guard integrity == "ok" else { return "\(store.fileName): integrity_check says \(integrity)" }
    let answer = try connection.execute(KillAudit.question) ?? ""
    let lines = answer.split(separator: ",")
    guard lines.count == board.workers else {
      return "\(store.fileName): \(lines.count) workers' counts"
    }
    for line in lines {
      let numbers = line.split(separator: " ").compactMap { UInt64($0) }
      guard numbers.count == 4, numbers[0] < UInt64(board.workers) else {
        return "\(store.fileName): \(line) is no worker's count"
      }
      if let wrong = damage(worker: Int(numbers[0]), numbers) { return wrong }
    }
    return nil
  }

  private func damage(worker: Int, _ numbers: [UInt64]) -> String? {
    let n = numbers[1]
    if let wrong = misplaced(n, worker: worker) { return wrong }
    let expected = min(n, UInt64(KillStore.kept)) * UInt64(KillStore.parts)
    guard numbers[2] == expected, numbers[3] == expected else {
      return "\(store.fileName): worker \(worker) at transaction \(n) has \(numbers[2]) entries, "
        + "\(numbers[3]) of them right, not \(expected)"
    }
    return nil
  }

  /// What is wrong with `n`, the last transaction of the worker that is in the database; nil if
  /// nothing is. Each acknowledged transaction must be there, and none that was never begun.
  func misplaced(_ n: UInt64, worker: Int) -> String? {
    let acknowledged = board[worker, .acknowledged, store]
    let begun = board[worker, .begun, store]
    if n < acknowledged {
      return "\(store.fileName): worker \(worker) was told that transaction \(acknowledged) is "
        + "done, and \(n) is the last one there"
    }
    if n > begun {
      return "\(store.fileName): worker \(worker) began transaction \(begun), and \(n) is there"
    }
    return nil
  }
}
