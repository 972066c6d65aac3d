// Protocol/SQL.md against the code: heads, flags, types, limits, and what a client may not do.

import CEngine
import CSluice
import SluiceWire
import TestSupport
import Testing

@testable import SluiceEngine

@Suite struct SQLSpecTests {
  private let spec: SpecDocument

  init() throws { spec = try SpecDocument("Protocol/SQL.md") }

  /// A field of a C struct.
  private struct Field {
    var name: String
    var offset: Int
    var byteCount: Int
    var type: String

    init<S, V>(_ name: String, _ path: KeyPath<S, V>, _ type: String) {
      self.name = name
      offset = MemoryLayout<S>.offset(of: path)!
      byteCount = MemoryLayout<V>.size
      self.type = type
    }
  }

  private func expect(_ heading: String, byteCount: Int, equals fields: [Field]) throws {
    let rows = try spec.rows(under: heading)
    #expect(rows.map { $0["field"] } == fields.map(\.name), "\(heading)")
    var end = 0
    for (row, field) in zip(rows, fields) {
      #expect(number(row["offset"]) == UInt64(field.offset), "\(heading): \(field.name)")
      #expect(number(row["size"]) == UInt64(field.byteCount), "\(heading): \(field.name)")
      #expect(row["type"] == field.type, "\(heading): \(field.name)")
      #expect(field.offset == end, "\(heading): \(field.name)")
      end = field.offset + field.byteCount
    }
    #expect(end == byteCount, "\(heading)")
  }

  @Test func theHeadsAreThoseOfTheCode() throws {
    try expect(
      "Request head", byteCount: MemoryLayout<sluice_sql_request>.size,
      equals: [
        Field("cell_count", \sluice_sql_request.cell_count, "u32"),
        Field("flags", \sluice_sql_request.flags, "u32"),
        Field("row_count_max", \sluice_sql_request.row_count_max, "u32"),
        Field("deadline_ms", \sluice_sql_request.deadline_ms, "u32"),
      ])
    try expect(
      "Page head", byteCount: MemoryLayout<sluice_sql_page>.size,
      equals: [
        Field("row_count", \sluice_sql_page.row_count, "u32"),
        Field("column_count", \sluice_sql_page.column_count, "u16"),
        Field("flags", \sluice_sql_page.flags, "u16"),
        Field("tail", \sluice_sql_page.tail, "u32"),
        Field("reserved", \sluice_sql_page.reserved, "u32"),
        Field("changes", \sluice_sql_page.changes, "i64"),
        Field("row_id", \sluice_sql_page.row_id, "i64"),
        Field("statement", \sluice_sql_page.statement, "u64"),
      ])
    try expect(
      "Cell", byteCount: MemoryLayout<sluice_sql_cell>.size,
      equals: [
        Field("type", \sluice_sql_cell.type, "u8"),
        Field("reserved", \sluice_sql_cell.reserved, "u8 × 3"),
        Field("byte_count", \sluice_sql_cell.byte_count, "u32"),
        Field("value", \sluice_sql_cell.value, "u64"),
      ])
  }

  private func expect(
    _ heading: String, _ column: String, equals expected: [(String, UInt64)]
  ) throws {
    let rows = try spec.rows(under: heading)
    #expect(rows.map { $0["name"] } == expected.map(\.0), "\(heading)")
    #expect(rows.map { number($0[column]) } == expected.map(\.1), "\(heading)")
  }

  @Test func theNumbersAreThoseOfTheCode() throws {
    try expect(
      "Cell types", "number",
      equals: [
        ("INTEGER", UInt64(SLUICE_SQL_INTEGER)), ("REAL", UInt64(SLUICE_SQL_REAL)),
        ("TEXT", UInt64(SLUICE_SQL_TEXT)), ("BLOB", UInt64(SLUICE_SQL_BLOB)),
        ("NULL", UInt64(SLUICE_SQL_NULL)), ("FAR_TEXT", UInt64(SLUICE_SQL_FAR_TEXT)),
        ("FAR_BLOB", UInt64(SLUICE_SQL_FAR_BLOB)),
      ])
    try expect(
      "Execution flags", "value",
      equals: [
        ("CHAINED", UInt64(SLUICE_SQL_CHAINED)), ("IN_BATCH", UInt64(SLUICE_SQL_IN_BATCH)),
        ("WITH_NAMES", UInt64(SLUICE_SQL_WITH_NAMES)),
        ("FIRST_ONLY", UInt64(SLUICE_SQL_FIRST_ONLY)), ("ONE_PAGE", UInt64(SLUICE_SQL_ONE_PAGE)),
      ])
    try expect(
      "Page flags", "value",
      equals: [
        ("MORE", UInt64(SLUICE_SQL_MORE)), ("AUTOCOMMIT", UInt64(SLUICE_SQL_AUTOCOMMIT)),
        ("NAMES", UInt64(SLUICE_SQL_NAMES)), ("READS", UInt64(SLUICE_SQL_READS)),
      ])
    try expect(
      "Open modes", "value", equals: SQLOpenMode.allCases.map { ("\($0)", $0.rawValue) })
    try expect(
      "Open options of SQL", "value",
      equals: [
        ("readOnly", SQLOpenOptions.readOnly.rawValue), ("seeded", SQLOpenOptions.seeded.rawValue),
        ("state", SQLOpenOptions.state.rawValue),
      ])
    #expect(
      [SQLITE_INTEGER, SQLITE_FLOAT, SQLITE_TEXT, SQLITE_BLOB, SQLITE_NULL] == [1, 2, 3, 4, 5])
    #expect(SQLValueWriteRequest.sqlText == 65535)
  }

  @Test func theLimitsAreThoseOfTheCode() throws {
    let limits: [(String, Int)] = [
      ("valueByteCountMaximum", Limits.valueByteCountMaximum),
      ("rowByteCountMaximum", Limits.rowByteCountMaximum),
      ("sqlByteCountMaximum", Limits.sqlByteCountMaximum),
      ("columnCountMaximum", Limits.columnCountMaximum),
      ("parameterCountMaximum", Limits.parameterCountMaximum),
      ("statementCountMaximum", Limits.statementCountMaximum),
      ("cursorCountMaximum", Limits.cursorCountMaximum),
      ("keptByteCountMaximum", Limits.keptByteCountMaximum),
      ("imageByteCountMaximum", Limits.imageByteCountMaximum),
      ("instructionsBetweenLooks", Int(Limits.instructionsBetweenLooks)),
    ]
    let rows = try spec.rows(under: "SQL limits")
    #expect(rows.map { $0["limit"] } == limits.map(\.0))
    #expect(rows.map { number($0["value"]) } == limits.map { UInt64($0.1) })
  }

  @Test func sqliteHasTheLimitsOfTheTable() throws {
    let numbers: [String: Int32] = [
      "LENGTH": SQLITE_LIMIT_LENGTH, "SQL_LENGTH": SQLITE_LIMIT_SQL_LENGTH,
      "COLUMN": SQLITE_LIMIT_COLUMN, "EXPR_DEPTH": SQLITE_LIMIT_EXPR_DEPTH,
      "COMPOUND_SELECT": SQLITE_LIMIT_COMPOUND_SELECT, "VDBE_OP": SQLITE_LIMIT_VDBE_OP,
      "FUNCTION_ARG": SQLITE_LIMIT_FUNCTION_ARG, "ATTACHED": SQLITE_LIMIT_ATTACHED,
      "LIKE_PATTERN_LENGTH": SQLITE_LIMIT_LIKE_PATTERN_LENGTH,
      "VARIABLE_NUMBER": SQLITE_LIMIT_VARIABLE_NUMBER,
      "TRIGGER_DEPTH": SQLITE_LIMIT_TRIGGER_DEPTH, "WORKER_THREADS": SQLITE_LIMIT_WORKER_THREADS,
    ]
    let rows = try spec.rows(under: "SQLite limits")
    #expect(rows.count == Limits.all.count && rows.count == numbers.count)
    let raw = try RawSQLSession()
    let connection = try #require(raw.session.connection)
    for row in rows {
      let limit = try #require(numbers[row["limit"]!])
      // A connection has it.
      let value = unsafe sqlite3_limit(connection.handle, limit, -1)
      #expect(number(row["value"]) == UInt64(value), "\(row)")
    }
  }

  @Test func whatAClientMayNotDoIsThatOfTheCode() throws {
    #expect(
      Set(try spec.rows(under: "Refused functions").compactMap { $0["name"] })
        == Permissions.forbiddenFunctions)
    #expect(
      Set(try spec.rows(under: "Virtual tables").compactMap { $0["module"] })
        == Permissions.modules)
    let rows = try spec.rows(under: "Pragmas")
    let kinds: [(String, Set<String>)] = [
      ("tells", Permissions.questions), ("tells; takes no value", Permissions.unsettable),
      ("sets", Permissions.settings), ("acts", Permissions.actions),
    ]
    #expect(Set(rows.compactMap { $0["kind"] }) == Set(kinds.map(\.0)))
    for (kind, names) in kinds {
      let listed = rows.filter { $0["kind"] == kind }.compactMap { $0["pragma"] }
      #expect(listed.sorted() == names.sorted(), "\(kind)")
    }
    #expect(Permissions.journalModes == ["delete", "persist", "truncate", "wal"])
  }
}
