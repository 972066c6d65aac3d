// One execution, as it is written into its range: the head, the SQL or the statement's id, and the
// parameters. Values that do not fit go before it, in pieces.

internal import CSluice
internal import SluiceWire

@safe
struct ExecutionRequest<Parameters: SQLParameterSource> {
  let statement: KnownStatement
  private let sql: UnsafeRawBufferPointer
  private let parameters: Parameters
  private var options: SQLExecutionOptions
  private let rowCountMaximum: UInt32
  private let deadlineMilliseconds: UInt32
  /// The statement's id; 0 where the text says what to do.
  private(set) var id: UInt64 = 0
  /// Values with more bytes than this go before the request.
  private(set) var nearByteCountMaximum = Int.max

  @inline(__always)
  init(
    _ statement: KnownStatement, sql: UnsafeRawBufferPointer, _ parameters: Parameters,
    _ options: SQLExecutionOptions, _ rowCountMaximum: UInt32, _ deadlineMilliseconds: UInt32
  ) {
    self.statement = statement
    unsafe self.sql = unsafe sql
    self.parameters = parameters
    self.options = options
    self.rowCountMaximum = rowCountMaximum
    self.deadlineMilliseconds = deadlineMilliseconds
    if statement.id != 0, !statement.isUnderWay { id = statement.id } else { useText() }
  }

  /// The engine does not know the id any more.
  mutating func useText() {
    id = 0
    statement.isKnown = false
    options.insert(.withNames)
  }

  // MARK: Its size

  private var cellCount: Int { parameters.parameterCount + 1 }

  /// The bytes of the whole request.
  var byteCount: Int {
    var sum = MemoryLayout<sluice_sql_request>.size + cellCount * MemoryLayout<sluice_sql_cell>.size
    if id == 0 { unsafe sum += near(sql.count) }
    for index in 0..<parameters.parameterCount {
      sum += near(parameters.withParameter(index) { $0.byteCount })
    }
    return sum
  }

  private func near(_ byteCount: Int) -> Int { byteCount > nearByteCountMaximum ? 0 : byteCount }

  func isFar(_ byteCount: Int) -> Bool { byteCount > nearByteCountMaximum }

  /// Whether values have to go before it, because all of it has no room.
  @inline(__always)
  func wantsFar(within room: Int) -> Bool { byteCount > room }

  /// Makes its long values far, and then shorter ones, until the rest fits.
  mutating func makeFar(within room: Int) {
    nearByteCountMaximum = 16 << 10
    while byteCount > room, nearByteCountMaximum > 0 { nearByteCountMaximum /= 4 }
  }

  // MARK: Writing

  /// Calls `body` for each value that goes before the request.
  func withFarValues(
    _ body: (_ number: UInt64, UnsafeRawBufferPointer) throws(SQLFailure) -> Void
  ) throws(SQLFailure) {
    if id == 0, unsafe isFar(sql.count) { try unsafe body(SQLValueWriteRequest.sqlText, sql) }
    for index in 0..<parameters.parameterCount {
      var failure: SQLFailure?
      parameters.withParameter(index) { parameter in
        guard isFar(parameter.byteCount) else { return }
        switch parameter {
        case .text(let bytes), .blob(let bytes):
          do throws(SQLFailure) { try unsafe body(UInt64(index + 1), bytes) } catch {
            failure = error
          }
        case .integer, .real, .null: break
        }
      }
      if let failure { throw failure }
    }
  }

  @inline(__always)
  func write(_ range: UnsafeMutableRawBufferPointer) {
    let head = sluice_sql_request(
      cell_count: UInt32(cellCount), flags: options.rawValue, row_count_max: rowCountMaximum,
      deadline_ms: deadlineMilliseconds)
    unsafe range.storeBytes(of: head, as: sluice_sql_request.self)
    var cells = unsafe SQLCellWriter(range, from: MemoryLayout<sluice_sql_request>.size)
    if id != 0 {
      cells.null()
    } else if unsafe isFar(sql.count) {
      unsafe cells.farText(byteCount: UInt64(sql.count))
    } else {
      unsafe cells.text(sql)
    }
    for index in 0..<parameters.parameterCount {
      parameters.withParameter(index) { parameter in
        switch parameter {
        case .text(let bytes) where isFar(bytes.count):
          cells.farText(byteCount: UInt64(bytes.count))
        case .blob(let bytes) where isFar(bytes.count):
          cells.farBlob(byteCount: UInt64(bytes.count))
        default: cells.parameter(parameter)
        }
      }
    }
  }
}
