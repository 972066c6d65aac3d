// Writes a page of rows, or an error, into a payload. Protocol/SQL.md has the form.

internal import CEngine
internal import CSluice
internal import SluiceWire

@safe
struct PageWriter {
  private let payload: UnsafeMutableRawBufferPointer
  /// The session has it, and the writer does not outlive a request. Counted references cost some
  /// tens of nanoseconds of a statement.
  private unowned(unsafe) let connection: Connection
  private var cells: SQLCellWriter
  /// The rows that were written.
  private(set) var rowCount: UInt32 = 0

  private static var headByteCount: Int { MemoryLayout<sluice_sql_page>.size }

  @inline(__always)
  init(_ payload: UnsafeMutableRawBufferPointer, _ connection: Connection) {
    unsafe self.payload = unsafe payload
    unsafe self.connection = connection
    unsafe cells = SQLCellWriter(payload, from: Self.headByteCount)
  }

  /// Writes the row of this step, and as many of the next as fit and are wanted. Resets a statement
  /// that is over, or fails.
  @inline(__always)
  mutating func write(
    _ first: Statement.Step, of statement: Statement, _ head: sluice_sql_request, changes: Int64,
    tail: Int
  ) throws(DatabaseError) -> SQLOutcome {
    var step = first
    let columnCount = statement.columnCount
    var flags: UInt32 = statement.isReadOnly ? SLUICE_SQL_READS : 0
    if head.flags & SLUICE_SQL_WITH_NAMES != 0 || statement.hasNewNames {
      guard cells.hasRoom(forCells: 2 * columnCount) else { return try tooLittleRoom(statement) }
      writeNames(of: statement, columnCount)
      flags |= SLUICE_SQL_NAMES
    }
    let rowCountMaximum = head.row_count_max == 0 ? UInt32.max : head.row_count_max
    while case .row = step {
      let mark = cells
      guard cells.hasRoom(forCells: columnCount) else {
        if rowCount == 0 { return try tooLittleRoom(statement) }
        break
      }
      let isWhole = writeRow(of: statement, columnCount, isFirst: rowCount == 0)
      if !isWhole, rowCount > 0 {
        // It comes first in the next page.
        cells.goBack(to: mark)
        break
      }
      rowCount += 1
      statement.passRow()
      // Its far values are read while the statement stands on the row.
      if !isWhole || rowCount == rowCountMaximum { break }
      step = statement.next()
    }
    switch step {
    case .row where head.flags & SLUICE_SQL_ONE_PAGE != 0: statement.reset()
    case .row: flags |= SLUICE_SQL_MORE
    case .done: statement.reset()
    case .failed(let code):
      let error = failure(code)
      statement.reset()
      throw error
    }
    if flags & SLUICE_SQL_NAMES != 0 { statement.noteNamesTold() }
    return finish(
      columnCount, flags, changes: changes, tail: tail, statement: statement.id)
  }

  private func failure(_ code: Int32) -> DatabaseError {
    guard code == SQLITE_TOOBIG,
      unsafe sqlite3_errcode(connection.handle) & 0xff != SQLITE_TOOBIG
    else { return unsafe DatabaseError(of: connection.handle, code) }
    return DatabaseError(
      code, "the rows are done, but those to be returned are more than the engine keeps (65 MiB)")
  }

  /// The answer to a text without a statement.
  func writeNothing(tail: Int) -> SQLOutcome {
    finish(0, SLUICE_SQL_READS, changes: 0, tail: tail, statement: 0)
  }

  /// The columns became more when SQLite compiled the statement anew, after a change of the schema;
  /// or a fetch has less room than its execution had. A client that is told `tooLittleRoom` does the
  /// same again, so nothing may be done yet.
  private func tooLittleRoom(_ statement: Statement) throws(DatabaseError) -> SQLOutcome {
    statement.reset()
    if statement.isReadOnly { return SQLOutcome(status: .tooLittleRoom) }
    throw DatabaseError(
      SQLITE_TOOBIG, "the rows are done, but one to be returned has too many columns for the answer"
    )
  }

  /// Whether the cells of a row and of its names fit.
  @inline(__always)
  static func fits(columnCount: Int, _ payload: UnsafeMutableRawBufferPointer) -> Bool {
    unsafe SQLCellWriter(payload, from: headByteCount).hasRoom(forCells: 2 * columnCount)
  }

  @inline(__always)
  private func finish(
    _ columnCount: Int, _ flags: UInt32, changes: Int64, tail: Int,
    statement: UInt64
  ) -> SQLOutcome {
    var flags = flags
    if unsafe connection.isAutocommit { flags |= SLUICE_SQL_AUTOCOMMIT }
    let page = unsafe sluice_sql_page(
      row_count: rowCount, column_count: UInt16(columnCount), flags: UInt16(flags),
      tail: UInt32(tail), reserved: 0, changes: changes,
      row_id: sqlite3_last_insert_rowid(connection.handle), statement: statement)
    unsafe payload.storeBytes(of: page, as: sluice_sql_page.self)
    let hasBytes = unsafe cells.bytesStart < payload.count
    return unsafe SQLOutcome(byteCount: hasBytes ? payload.count : cells.cellsEnd)
  }

  private mutating func writeNames(of statement: Statement, _ columnCount: Int) {
    for column in 0..<columnCount {
      let name = unsafe statement.name(column)
      // The other names' cells and a row's have to fit. A name that does not is cut off.
      let cellCount = 2 * columnCount - column
      let room =
        cells.bytesStart - cells.cellsEnd - cellCount * MemoryLayout<sluice_sql_cell>.size
      unsafe cells.text(StatementText.prefix(room, of: name))
    }
  }

  /// Writes the present row; false if a text or blob of it does not fit. In the first row of a page
  /// such a value is far.
  @inline(__always)
  private mutating func writeRow(
    of statement: Statement, _ columnCount: Int, isFirst: Bool
  ) -> Bool {
    var isWhole = true
    for column in 0..<columnCount {
      switch statement.value(column) {
      case .integer(let value): cells.integer(value)
      case .real(let value): cells.real(value)
      case .null: cells.null()
      case .text(let text):
        if cells.hasRoom(forBytes: text.count, beforeCells: columnCount - column) {
          unsafe cells.text(text)
        } else {
          isWhole = false
          if !isFirst { return false }
          cells.farText(byteCount: UInt64(text.count))
        }
      case .blob(let blob):
        if cells.hasRoom(forBytes: blob.count, beforeCells: columnCount - column) {
          unsafe cells.blob(blob)
        } else {
          isWhole = false
          if !isFirst { return false }
          cells.farBlob(byteCount: UInt64(blob.count))
        }
      }
    }
    return isWhole
  }

  /// Writes an error as a page with one text. Returns its byte count.
  static func write(
    _ error: DatabaseError, isAutocommit: Bool, _ payload: UnsafeMutableRawBufferPointer
  ) -> Int {
    var cells = unsafe SQLCellWriter(payload, from: headByteCount)
    guard cells.hasRoom(forCells: 1) else { return 0 }
    let room = cells.bytesStart - cells.cellsEnd - MemoryLayout<sluice_sql_cell>.size
    unsafe Array(error.message.utf8).withUnsafeBytes {
      unsafe cells.text(StatementText.prefix(room, of: $0))
    }
    let page = sluice_sql_page(
      row_count: 1, column_count: 1, flags: isAutocommit ? UInt16(SLUICE_SQL_AUTOCOMMIT) : 0,
      tail: 0, reserved: 0, changes: 0, row_id: error.offset, statement: 0)
    unsafe payload.storeBytes(of: page, as: sluice_sql_page.self)
    return payload.count
  }
}
