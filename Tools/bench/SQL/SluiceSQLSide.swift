// A private engine, through libsluice-sql.so.

internal import CSluice
internal import CSluiceSQL
internal import SluiceSystem
internal import ToolSupport

@safe
struct SluiceSQLSide: SQLSide {
  let functions: SluiceSQLFunctions
  let connection: SluiceSQLFunctions.Handle?
  /// Whether rows are taken one by one, not page by page.
  var takesBySteps = false
  private let pointText = SQLText(SQLWork.pointSQL)
  private let insertText = SQLText(SQLWork.insertSQL)
  private let rowsText = SQLText(SQLWork.rowsSQL)
  private let name = SQLText(SQLWork.insertedName)
  /// The statements of a batch, and their values.
  private let steps: UnsafeMutableBufferPointer<sluice_batch_step>
  private let stepValues: UnsafeMutableBufferPointer<sluice_value>
  private var taken = TakenValues()

  /// It lives as long as its process.
  init(_ path: String, library: String) throws(ToolError) {
    functions = try SluiceSQLFunctions(library)
    var connection: SluiceSQLFunctions.Handle?
    let code = unsafe functions.open(path, nil, UInt32(SLUICE_OPEN), -1, &connection)
    unsafe self.connection = unsafe connection
    let count = Int(SQLWork.batchCount)
    unsafe stepValues = .allocate(capacity: count)
    unsafe stepValues.initialize(repeating: Self.value(Int64(0)))
    unsafe steps = .allocate(capacity: count + 2)
    let (begin, update) = (SQLText("BEGIN"), SQLText(SQLWork.updateSQL))
    unsafe steps.initialize(repeating: begin.step(nil))
    for index in 0..<count {
      unsafe steps[index + 1] = unsafe update.step(stepValues.baseAddress! + index)
    }
    unsafe steps[count + 1] = unsafe SQLText("COMMIT").step(nil)
    guard code == SLUICE_OK else { throw failure }
    for setting in SQLWork.settings { try run(SQLText(setting)) }
  }

  mutating func point(_ id: Int64) throws(ToolError) {
    var value = unsafe Self.value(id)
    let result = try unsafe execute(pointText, &value, 1)
    guard unsafe functions.step(result) == SLUICE_ROW else { throw failure }
    unsafe takeText(result, 0)
    taken.add(unsafe functions.integer(result, 1))
    taken.add(unsafe functions.double(result, 2))
    _ = unsafe functions.closeResult(result)
    taken.forget()
  }

  mutating func insert(_ number: Int64) throws(ToolError) {
    let values: InlineArray<3, sluice_value> = unsafe [
      name.value, Self.value(number), Self.value(Double(number) * 0.5),
    ]
    let code = unsafe withUnsafeBytes(of: values) {
      unsafe functions.execute(
        connection, insertText.start, insertText.byteCount,
        $0.baseAddress!.assumingMemoryBound(to: sluice_value.self), 3, 0, nil)
    }
    guard code == SLUICE_OK else { throw failure }
  }

  mutating func rows(from id: Int64) throws(ToolError) {
    var value = unsafe Self.value(id)
    let result = try unsafe execute(rowsText, &value, 1)
    let count = takesBySteps ? unsafe takeBySteps(result) : unsafe takeByPages(result)
    _ = unsafe functions.closeResult(result)
    guard count == SQLWork.fetchedRowCount else { throw failure }
    taken.forget()
  }

  private mutating func takeBySteps(_ result: SluiceSQLFunctions.Handle?) -> Int64 {
    var count: Int64 = 0
    while unsafe functions.step(result) == SLUICE_ROW {
      taken.add(unsafe functions.integer(result, 0))
      unsafe takeText(result, 1)
      taken.add(unsafe functions.integer(result, 2))
      taken.add(unsafe functions.double(result, 3))
      count += 1
    }
    return count
  }

  private mutating func takeByPages(_ result: SluiceSQLFunctions.Handle?) -> Int64 {
    var rows = unsafe sluice_rows()
    var count: Int64 = 0
    repeat {
      guard unsafe functions.nextRows(result, &rows) == SLUICE_ROW else { return -1 }
      let valueCount = unsafe Int(rows.row_count * rows.column_count)
      for index in 0..<valueCount {
        let value = unsafe rows.values[index]
        switch unsafe value.type {
        case SLUICE_INTEGER: unsafe taken.add(value.integer)
        case SLUICE_REAL: unsafe taken.add(value.real)
        default:
          unsafe taken.add(UnsafeRawBufferPointer(start: value.bytes, count: Int(value.length)))
        }
      }
      count += unsafe Int64(rows.row_count)
    } while unsafe rows.has_more != 0
    return count
  }

  mutating func batch(from id: Int64) throws(ToolError) {
    for index in unsafe stepValues.indices {
      unsafe stepValues[index].integer = id + Int64(index)
    }
    let code = unsafe functions.batch(
      connection, UnsafePointer(steps.baseAddress), steps.count, 0, 0, nil, nil)
    guard code == SLUICE_OK else { throw failure }
  }

  mutating func run(_ sql: StaticString) throws(ToolError) { try run(SQLText(sql.description)) }

  private func run(_ text: SQLText) throws(ToolError) {
    let code = unsafe functions.execute(
      connection, text.start, text.byteCount, nil, 0, 0, nil)
    guard code == SLUICE_OK else { throw failure }
  }

  /// Runs a statement without an end, and cancels it.
  func endless() -> (@Sendable () -> Int32, () -> Void) {
    let execute = unsafe functions.execute
    let text = SQLText(SQLWork.endlessSQL)
    let sql = unsafe UInt(bitPattern: text.start)
    let byteCount = text.byteCount
    let place = unsafe UInt(bitPattern: connection)
    let run: @Sendable () -> Int32 = {
      unsafe execute(
        OpaquePointer(bitPattern: place), UnsafePointer(bitPattern: sql), byteCount, nil, 0, 0, nil)
    }
    return (run, { _ = unsafe functions.cancel(connection) })
  }

  // MARK: Parts

  @inline(__always)
  private func execute(
    _ text: SQLText, _ values: UnsafePointer<sluice_value>, _ count: Int
  ) throws(ToolError) -> SluiceSQLFunctions.Handle? {
    var result: SluiceSQLFunctions.Handle?
    let code = unsafe functions.execute(
      connection, text.start, text.byteCount, values, count, 0, &result)
    guard code == SLUICE_OK else { throw failure }
    return unsafe result
  }

  @inline(__always)
  private mutating func takeText(_ result: SluiceSQLFunctions.Handle?, _ column: Int32) {
    var byteCount = 0
    let text = unsafe functions.text(result, column, &byteCount)
    unsafe taken.add(UnsafeRawBufferPointer(start: text, count: byteCount))
  }

  static func value(_ integer: Int64) -> sluice_value {
    var value = unsafe sluice_value()
    unsafe value.type = SLUICE_INTEGER
    unsafe value.integer = integer
    return unsafe value
  }

  static func value(_ real: Double) -> sluice_value {
    var value = unsafe sluice_value()
    unsafe value.type = SLUICE_REAL
    unsafe value.real = real
    return unsafe value
  }

  private var failure: ToolError {
    unsafe .failed("Sluice: \(String(cString: functions.message(connection)))")
  }
}

/// A text that stays where it is.
@safe
struct SQLText {
  let start: UnsafePointer<CChar>
  let byteCount: Int

  init(_ text: String) {
    unsafe start = UnsafePointer(strdup(text)!)
    byteCount = text.utf8.count
  }

  var value: sluice_value {
    var value = unsafe sluice_value()
    unsafe value.type = SLUICE_TEXT
    unsafe value.length = UInt64(byteCount)
    unsafe value.bytes = UnsafeRawPointer(start)
    return unsafe value
  }

  func step(_ value: UnsafeMutablePointer<sluice_value>?) -> sluice_batch_step {
    unsafe sluice_batch_step(
      sql: start, sql_length: byteCount, values: value, value_count: value == nil ? 0 : 1)
  }
}
