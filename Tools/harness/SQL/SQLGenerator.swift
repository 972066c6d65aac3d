// Random statements: what programs send, and what they send by mistake.

internal import ToolSupport

struct SQLGenerator {
  var random: SplitMix64
  private var columns = 0

  init(seed: UInt64) { random = SplitMix64(seed: seed) }

  /// The tables of a database before the first statement.
  static let setup = [
    "CREATE TABLE IF NOT EXISTS fixed(i INTEGER PRIMARY KEY, a)",
    "INSERT OR IGNORE INTO fixed WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
      + " WHERE i < 20000) SELECT i, 'row number ' || i FROM n",
    "CREATE TABLE IF NOT EXISTS t0(k INTEGER PRIMARY KEY, a, b, c UNIQUE)",
    "CREATE TABLE IF NOT EXISTS t1(k INTEGER PRIMARY KEY, a INTEGER NOT NULL, b TEXT, c CHECK(c <> 7))",
    "CREATE TABLE IF NOT EXISTS t2(k, a, b, c, PRIMARY KEY(k, a)) WITHOUT ROWID",
  ]

  mutating func statement() -> (sql: String, values: [SQLValue]) {
    let table = "t\(random.below(4))"
    switch random.below(40) {
    case 0..<8:
      return ("INSERT INTO \(table)(k, a, b, c) VALUES(?, ?, ?, ?)", [key()] + values(3))
    case 8..<10:
      let rows = 1 + random.below(5)
      let row = "(?, ?, ?, ?)"
      return (
        "INSERT OR REPLACE INTO \(table)(k, a, b, c) VALUES"
          + Array(repeating: row, count: rows).joined(separator: ","), records(rows)
      )
    case 10:
      return (
        "INSERT INTO \(table)(k, a, b, c) VALUES(?, ?, ?, ?) RETURNING *, typeof(a), length(b)",
        [key()] + values(3)
      )
    case 11:
      return (
        "INSERT INTO t0(k, a, c) VALUES(?, ?, ?) ON CONFLICT(k) DO UPDATE SET a = excluded.a,"
          + " b = coalesce(b, 0) + 1 RETURNING k, b", [key()] + values(2)
      )
    case 12..<15: return ("UPDATE \(table) SET a = ?, b = ? WHERE k = ?", values(2) + [key()])
    case 15: return ("UPDATE \(table) SET b = b || 'x' WHERE k < ? RETURNING k", [key()])
    case 16: return ("DELETE FROM \(table) WHERE k = ?", [key()])
    case 17: return ("DELETE FROM \(table) WHERE k > ? RETURNING *", [key()])
    case 18..<22: return ("SELECT * FROM \(table) WHERE k = ?", [key()])
    case 22..<24:
      return (
        "SELECT * FROM \(table) ORDER BY k, a, b LIMIT ?", [.integer(Int64(random.below(400)))]
      )
    case 24:
      return (
        "SELECT count(*), sum(length(a)), max(b), min(c), group_concat(typeof(a)) FROM \(table)", []
      )
    case 25:
      return ("SELECT ?1, typeof(?1), length(?1), ?2 AS \"a name\", ?1 AS x, ?2 AS x", values(2))
    case 26: return ("SELECT changes(), total_changes() >= 0, last_insert_rowid()", [])
    case 27..<34: return (transaction(), [])
    case 34: return (schema(), [])
    case 35:
      return (
        "PRAGMA \(["table_info(\(table))", "user_version", "user_version = 7", "foreign_keys", "index_list(\(table))", "integrity_check(1)"][random.below(6)])",
        []
      )
    case 36: return ("EXPLAIN QUERY PLAN SELECT * FROM \(table) WHERE k = 1", [])
    case 37:
      return (
        "SELECT i, a, zeroblob(i % 50) FROM fixed WHERE i > ? LIMIT 3000",
        [.integer(Int64(random.below(20_000)))]
      )
    default: return (mistake(table), [])
    }
  }

  private mutating func transaction() -> String {
    let name = "s\(random.below(3))"
    return [
      "BEGIN", "BEGIN IMMEDIATE", "COMMIT", "COMMIT", "ROLLBACK", "SAVEPOINT \(name)",
      "RELEASE \(name)", "ROLLBACK TO \(name)", "END",
    ][random.below(9)]
  }

  private mutating func schema() -> String {
    columns += 1
    return [
      "CREATE TABLE IF NOT EXISTS t3(k INTEGER PRIMARY KEY, a, b, c)", "DROP TABLE IF EXISTS t3",
      "ALTER TABLE t\(random.below(3)) ADD COLUMN more\(columns % 12)",
      "CREATE INDEX IF NOT EXISTS i\(random.below(3)) ON t\(random.below(3))(b)",
      "DROP INDEX IF EXISTS i\(random.below(3))", "ANALYZE",
      "CREATE VIEW IF NOT EXISTS v AS SELECT k, a FROM t0", "DROP VIEW IF EXISTS v",
      "CREATE TEMP TABLE IF NOT EXISTS own(a)", "REINDEX",
    ][random.below(10)]
  }

  private mutating func mistake(_ table: String) -> String {
    [
      "SELECT nosuch FROM \(table)", "SELEC 1", "SELECT * FROM nosuch", "SELECT (", "SELECT 'open",
      "INSERT INTO \(table) VALUES(1)", "SELECT abs(-9223372036854775807 - 1)", "SELECT ä",
      "SELECT sum(i) OVER (ORDER BY nosuch) FROM fixed", "SELECT 1 UNION SELECT 1, 2",
      "COMMIT TO x", "DELETE FROM sqlite_schema", "SELECT * FROM v", "INSERT INTO own VALUES(1)",
    ][random.below(14)]
  }

  // MARK: Values

  private mutating func key() -> SQLValue { .integer(Int64(random.below(60))) }

  /// A NULL key or one behind the largest would make SQLite choose a random one.
  private mutating func records(_ count: Int) -> [SQLValue] {
    var values: [SQLValue] = []
    for _ in 0..<count { values += [key()] + self.values(3) }
    return values
  }

  private mutating func values(_ count: Int) -> [SQLValue] {
    var values: [SQLValue] = []
    for _ in 0..<count { values.append(value()) }
    return values
  }

  private mutating func value() -> SQLValue {
    switch random.below(16) {
    case 0: .null
    case 1: .integer([.max, .min, 0, -1, 1 << 53][random.below(5)])
    case 2:
      .real(
        [0.5, -0.0, .infinity, .nan, Double.leastNonzeroMagnitude, 1e300][random.below(6)]
          .bitPattern)
    case 3: .blob([])
    case 4: .text([])
    case 5: .text(Array("a\0b".utf8))
    case 6: .blob(bytes(random.below(100)))
    case 7: .text(Array("ä😀\(random.below(10))".utf8))
    // Beyond a page, beyond a transfer.
    case 8 where random.once(in: 4): .blob(bytes(random.below(200_000)))
    case 9 where random.once(in: 4): .text([UInt8](repeating: 65, count: random.below(200_000)))
    case 10 where random.once(in: 20): .blob(bytes(random.below(3_000_000)))
    case 11..<13: .text(Array("text \(random.below(1000))".utf8))
    default: .integer(Int64(random.below(50)))
    }
  }

  private mutating func bytes(_ count: Int) -> [UInt8] {
    let start = random.next()
    return (0..<count).map { UInt8(truncatingIfNeeded: UInt64($0) &* 31 &+ start) }
  }
}
