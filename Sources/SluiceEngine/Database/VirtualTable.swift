// A virtual table in Swift: what SQLite asks of a module (https://www.sqlite.org/vtab.html), as
// classes with methods.
//
// Every table has a hidden or visible primary key of one column and no rowid, because rows of ours
// have no number. Confined to the connection's thread.

internal import CEngine

/// A value that SQLite hands to a virtual table. It is valid during the call.
@safe
struct TableValue {
  let handle: OpaquePointer

  var isNull: Bool { unsafe sqlite3_value_type(handle) == SQLITE_NULL }
  /// Whether an UPDATE leaves the column as it is, and has not read it either.
  var isUnchanged: Bool { unsafe sqlite3_value_nochange(handle) != 0 }
  var integer: Int64 { unsafe sqlite3_value_int64(handle) }

  /// The value as text; nil for NULL. What is no UTF-8 is refused, because a key must not become
  /// another.
  func text(of column: String) throws(DatabaseError) -> String? {
    guard !isNull else { return nil }
    guard let start = unsafe sqlite3_value_text(handle) else {
      throw DatabaseError(SQLITE_NOMEM, "no memory")
    }
    let count = unsafe Int(sqlite3_value_bytes(handle))
    let text = unsafe UnsafeBufferPointer(start: start, count: count)
    // Nearly all texts are ASCII, for which no general validation is needed.
    if unsafe isASCII(text) { return unsafe String(decoding: text, as: UTF8.self) }
    guard let text = unsafe String(validating: text, as: UTF8.self)
    else { throw DatabaseError(SQLITE_MISMATCH, "\(column) is no UTF-8") }
    return text
  }

  private func isASCII(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
    var bits: UInt8 = 0
    for index in 0..<text.count { bits |= unsafe text[index] }
    return bits < 0x80
  }

  var bytes: [UInt8] {
    let count = unsafe Int(sqlite3_value_bytes(handle))
    guard count > 0, let start = unsafe sqlite3_value_blob(handle) else { return [] }
    return unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: count))
  }
}

/// How a query will go through a table.
struct TablePlan {
  /// One bit for each of the table's key columns that must be equal to an argument.
  var keys: Int32 = 0
  /// What the query reads of a row, in bits that the table defines.
  var needs: Int32 = 0

  init(keys: Int32, needs: Int32) {
    self.keys = keys
    self.needs = needs
  }

  init(number: Int32) {
    keys = number & 0xffff
    needs = number >> 16
  }

  var number: Int32 { keys | needs << 16 }

  func has(_ key: Int) -> Bool { keys & 1 << Int32(key) != 0 }
}

/// A row that SQLite inserts or changes.
@safe
struct TableRow {
  let values: UnsafeMutablePointer<OpaquePointer?>

  subscript(_ column: Int) -> TableValue { unsafe TableValue(handle: values[column]!) }
}

class VirtualTable {
  /// "CREATE TABLE x(…) WITHOUT ROWID".
  var declaration: String { fatalError("a table has a declaration") }
  /// The columns by which rows are found, at most 16.
  var keyColumns: [Int] { [] }

  /// Whether INSERT refuses a key that is there (`cengine_constraint_primary_key`) before it writes
  /// anything, so that INSERT OR IGNORE can go on.
  var refusesKnownKeys: Bool { false }

  /// How many rows a query with these keys finds, as a guess.
  func rowCount(_ plan: TablePlan) -> Int64 { 1_000_000 >> (Int64(plan.keys.nonzeroBitCount) * 6) }
  /// The bits of what is read, by the columns that a query uses.
  func needs(_ columns: UInt64) -> Int32 { 0 }

  func open() -> VirtualCursor { fatalError("a table has rows") }

  func insert(_ row: TableRow) throws(DatabaseError) { try refuseWrite() }
  /// `key` is the primary key as it was.
  func update(_ key: TableValue, to row: TableRow) throws(DatabaseError) { try refuseWrite() }
  func delete(_ key: TableValue) throws(DatabaseError) { try refuseWrite() }

  private func refuseWrite() throws(DatabaseError) {
    throw DatabaseError(SQLITE_READONLY, "this table can only be read")
  }
}

class VirtualCursor {
  func filter(_ plan: TablePlan, _ arguments: [TableValue]) throws(DatabaseError) {}
  func next() throws(DatabaseError) {}
  var isAtEnd: Bool { true }
  func column(_ number: Int32, _ result: TableResult) throws(DatabaseError) {}
}

/// Where a cursor puts a column's value.
@safe
struct TableResult {
  let context: OpaquePointer

  /// Whether the value is wanted only to be written back as it is.
  var isForNoChange: Bool { unsafe sqlite3_vtab_nochange(context) != 0 }

  func set(_ text: String?) {
    guard var text else { return unsafe sqlite3_result_null(context) }
    text.withUTF8 { unsafe cengine_result_text(context, $0.baseAddress, UInt64($0.count)) }
  }

  func set(_ number: Int64) { unsafe sqlite3_result_int64(context, number) }

  func set(_ blob: [UInt8]) {
    unsafe blob.withUnsafeBytes {
      unsafe cengine_result_blob(context, $0.baseAddress, UInt64($0.count))
    }
  }

  /// A column of a statement's present row.
  func set(_ statement: EngineStatement, _ column: Int32) {
    unsafe sqlite3_result_value(context, sqlite3_column_value(statement.handle, column))
  }
}

/// Who makes the tables of a module, and is told of the transactions in which they are written.
protocol TableSource: AnyObject {
  /// `name` is the first argument of CREATE VIRTUAL TABLE … USING module(…).
  func table(_ name: String) throws(DatabaseError) -> VirtualTable
  /// The last moment in which the transaction can still be refused.
  func sync() throws(DatabaseError)
  func commit()
  func rollback()
  func savepoint(_ number: Int32)
  func release(_ number: Int32)
  func rollback(to number: Int32)
  /// The connection is about to be closed: the source's statements must be finalized.
  func end()
}
