// The virtual tables `active_version` and `active_account`: what this connection works in, and who it
// says its commits are by. What is set here is also what connections that come later begin with.

internal import CEngine

/// One row, which can only be updated.
final class ActiveVersionTable: VirtualTable {
  private let state: StateContext

  init(_ state: StateContext) { self.state = state }

  override var declaration: String {
    "CREATE TABLE x(version_id TEXT PRIMARY KEY) WITHOUT ROWID"
  }
  override func rowCount(_ plan: TablePlan) -> Int64 { 1 }

  override func open() -> VirtualCursor {
    TextRows { [state] in [state.activeVersion.value] }
  }

  override func update(_ key: TableValue, to row: TableRow) throws(DatabaseError) {
    guard let version = try row[0].text(of: "version_id") else {
      throw DatabaseError(cengine_constraint_not_null, "one version is always active")
    }
    try state.setActiveVersion(version)
  }
}

final class ActiveAccountTable: VirtualTable {
  private let state: StateContext

  init(_ state: StateContext) { self.state = state }

  override var declaration: String {
    "CREATE TABLE x(account_id TEXT PRIMARY KEY) WITHOUT ROWID"
  }
  override func rowCount(_ plan: TablePlan) -> Int64 { 4 }

  override func open() -> VirtualCursor {
    TextRows { [state] () throws(DatabaseError) in
      try state.query("SELECT value FROM json_each(?1)") { (row) throws(DatabaseError) in
        row.bind(1, state.activeAccounts.value)
        var accounts: [String] = []
        while try row.step() { accounts.append(row.text(0)) }
        return accounts
      }
    }
  }

  override func insert(_ row: TableRow) throws(DatabaseError) {
    try change(
      "SELECT json_group_array(value) FROM (SELECT value FROM json_each(?1) UNION SELECT ?2)",
      try account(row))
  }

  override func update(_ key: TableValue, to row: TableRow) throws(DatabaseError) {
    try delete(key)
    try insert(row)
  }

  override func delete(_ key: TableValue) throws(DatabaseError) {
    try change(
      "SELECT json_group_array(value) FROM json_each(?1) WHERE value <> ?2",
      try key.text(of: "account_id") ?? "")
  }

  private func account(_ row: TableRow) throws(DatabaseError) -> String {
    guard let account = try row[0].text(of: "account_id") else {
      throw DatabaseError(cengine_constraint_not_null, "an active account needs an account_id")
    }
    return account
  }

  private func change(_ sql: String, _ account: String) throws(DatabaseError) {
    let accounts = try state.query(sql) { (row) throws(DatabaseError) in
      row.bind(1, state.activeAccounts.value)
      row.bind(2, account)
      return try row.step() ? row.text(0) : "[]"
    }
    try state.setActiveAccounts(accounts)
  }
}

/// Rows of one text.
private final class TextRows: VirtualCursor {
  private let find: () throws(DatabaseError) -> [String]
  private var rows: ArraySlice<String> = []

  init(_ find: @escaping () throws(DatabaseError) -> [String]) { self.find = find }

  override func filter(_ plan: TablePlan, _ arguments: [TableValue]) throws(DatabaseError) {
    rows = try find()[...]
  }

  override func next() throws(DatabaseError) { rows.removeFirst() }
  override var isAtEnd: Bool { rows.isEmpty }

  override func column(_ number: Int32, _ result: TableResult) throws(DatabaseError) {
    result.set(rows.first)
  }
}
