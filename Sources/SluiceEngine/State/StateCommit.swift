// A transaction's commits, made in xSync: for each version with pending changes its commit becomes
// the tip. All of it belongs to the transaction: an error fails COMMIT and rolls back everything.

internal import CEngine

struct StateCommit {
  private let state: StateContext
  private let transaction: StateTransaction

  init(_ state: StateContext, _ transaction: StateTransaction) {
    self.state = state
    self.transaction = transaction
  }

  /// Whether the transaction has changed anything.
  func make() throws(DatabaseError) -> Bool {
    if !transaction.newSchemas.isEmpty { try StateRules(state).checkLate(transaction) }
    try run(
      """
      DELETE FROM main.state_commits WHERE number = ?1
        AND NOT EXISTS (SELECT 1 FROM main.state_changes c WHERE c."commit" = seq)
        AND NOT EXISTS (SELECT 1 FROM main.state_adopted a WHERE a."commit" = seq)
      """)
    try run(
      """
      UPDATE main.state_versions SET "commit" = m.seq
      FROM main.state_commits m WHERE m.number = ?1 AND m.version_id = state_versions.id
      """)
    guard try hasChanged() else { return false }
    try forgetRemoved()
    try run("UPDATE main.state_settings SET value = ?1 WHERE name = 'number'")
    return true
  }

  private func run(_ sql: String) throws(DatabaseError) {
    try state.query(sql) { (statement) throws(DatabaseError) in
      statement.bind(1, transaction.number)
      try statement.run()
    }
  }

  private func hasChanged() throws(DatabaseError) -> Bool {
    try state.query(
      """
      SELECT EXISTS (SELECT 1 FROM main.state_commits WHERE number = ?1)
        OR EXISTS (SELECT 1 FROM main.state_touched WHERE number = ?1)
      """
    ) { (row) throws(DatabaseError) in
      row.bind(1, transaction.number)
      return try row.step() && row.integer(0) == 1
    }
  }

  /// For so many transactions it is told that an untracked row was removed.
  private static let toldTransactionCount: Int64 = 1000

  private func forgetRemoved() throws(DatabaseError) {
    guard transaction.number % Self.toldTransactionCount == 0 else { return }
    try run(
      """
      DELETE FROM main.state_touched
      WHERE number <= ?1 - \(Self.toldTransactionCount) AND NOT EXISTS (
        SELECT 1 FROM main.state_current r WHERE r.version_id = state_touched.version_id
          AND r.schema_key = state_touched.schema_key AND r.entity_id = state_touched.entity_id
          AND r.file_id = state_touched.file_id AND r.untracked = 1)
      """)
  }
}
