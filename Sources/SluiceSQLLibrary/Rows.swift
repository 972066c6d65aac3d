// A result as C sees it: a cursor, and what was told of its columns.

internal import CSluiceSQL
internal import CSluice
internal import SluiceSQL
internal import SluiceWire

@safe
final class Rows: Handled {
  let client: Client
  private var cursor: SQLCursor?
  let columnCount: Int
  /// Whether the cursor stands on a row.
  private var hasRow = false
  /// All names, each with a zero, and where each begins. Made when they are wanted.
  private var names: [UInt8] = []
  private var nameStarts: [Int] = []
  /// Rows given at once.
  private var values: UnsafeMutableBufferPointer<sluice_value>

  init(_ client: Client, _ cursor: SQLCursor) {
    self.client = client
    self.cursor = cursor
    columnCount = cursor.names.count
    unsafe values = UnsafeMutableBufferPointer(start: nil, count: 0)
    super.init(.rows)
  }

  deinit { unsafe values.deallocate() }

  func close() {
    hasRow = false
    cursor?.close()
    cursor = nil
  }

  // MARK: Rows

  @inline(__always)
  func step() throws(CallFailure) -> Int32 {
    guard let cursor else { return SLUICE_DONE }
    hasRow = false
    let cameToRow = try sql { () throws(SQLFailure) in try cursor.step() }
    hasRow = cameToRow
    return cameToRow ? SLUICE_ROW : SLUICE_DONE
  }

  /// A value of the present row.
  @inline(never)
  func cell(_ column: Int32) throws(CallFailure) -> SQLCell {
    guard let cursor, hasRow else {
      throw .own(SLUICE_MISUSE, "the result stands on no row; sluice_step goes to the next")
    }
    guard column >= 0, column < columnCount else {
      throw .own(SLUICE_RANGE, "the result has no such column; columns begin at 0")
    }
    return try sql { () throws(SQLFailure) in try cursor.value(Int(column)) }
  }

  /// Goes to the last row that is here, and gives all behind the present one.
  func nextRows() throws(CallFailure) -> sluice_rows? {
    guard let cursor else { return nil }
    hasRow = false
    guard try sql({ () throws(SQLFailure) in try cursor.step() }) else { return nil }
    hasRow = true
    let rowCount = cursor.rowsLeftInPage
    makeRoom(rowCount * columnCount)
    var range = unsafe ByteRange(within: cursor.pageBytes)
    var index = 0
    for row in 0..<rowCount {
      if row > 0 { _ = try sql { () throws(SQLFailure) in try cursor.step() } }
      for column in 0..<columnCount {
        unsafe values[index] = unsafe try value(cursor, column, &range)
        index += 1
      }
    }
    let bytes = unsafe range.bytes
    return unsafe sluice_rows(
      row_count: UInt64(rowCount), column_count: UInt64(columnCount),
      values: UnsafePointer(values.baseAddress), bytes: bytes.baseAddress,
      byte_count: UInt64(bytes.count), has_more: cursor.mayHaveMoreRows ? 1 : 0)
  }

  private func value(
    _ cursor: SQLCursor, _ column: Int, _ range: inout ByteRange
  ) throws(CallFailure) -> sluice_value {
    var value = unsafe sluice_value()
    switch try sql({ () throws(SQLFailure) in try cursor.value(column) }) {
    case .integer(let integer):
      unsafe value.type = SLUICE_INTEGER
      unsafe value.integer = integer
    case .real(let real):
      unsafe value.type = SLUICE_REAL
      unsafe value.real = real
    case .text(let bytes): unsafe value = place(bytes, SLUICE_TEXT, &range)
    case .blob(let bytes): unsafe value = place(bytes, SLUICE_BLOB, &range)
    case .null, .farText, .farBlob: unsafe value.type = SLUICE_NULL
    }
    return unsafe value
  }

  private func place(
    _ bytes: UnsafeRawBufferPointer, _ type: Int32, _ range: inout ByteRange
  ) -> sluice_value {
    unsafe range.add(bytes)
    var value = unsafe sluice_value()
    unsafe value.type = type
    unsafe value.length = UInt64(bytes.count)
    unsafe value.bytes = bytes.baseAddress
    return unsafe value
  }

  private func makeRoom(_ count: Int) {
    guard unsafe values.count < count else { return }
    unsafe values.deallocate()
    unsafe values = .allocate(capacity: max(count, 64))
    unsafe values.initialize(repeating: sluice_value())
  }

  // MARK: Names

  func name(_ column: Int32) -> UnsafePointer<CChar>? {
    guard column >= 0, column < columnCount else { return nil }
    if nameStarts.isEmpty, let cursor {
      for name in cursor.names {
        nameStarts.append(names.count)
        names += name
        names.append(0)
      }
    }
    guard !nameStarts.isEmpty else { return nil }
    // The array has its own memory, which stays where it is.
    return unsafe names.withUnsafeBufferPointer {
      unsafe UnsafeRawPointer($0.baseAddress! + nameStarts[Int(column)])
        .assumingMemoryBound(to: CChar.self)
    }
  }
}

/// The part of a page that some of its bytes lie in.
@safe
private struct ByteRange {
  private let page: UnsafeRawBufferPointer
  private var start: UnsafeRawPointer?
  private var end: UnsafeRawPointer?

  init(within page: UnsafeRawBufferPointer) { unsafe self.page = unsafe page }

  @inline(__always)
  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count > 0, let first = bytes.baseAddress,
      let pageStart = unsafe page.baseAddress
    else {
      return
    }
    let last = unsafe first + bytes.count
    // A value that was read in pieces lies elsewhere.
    guard unsafe first >= pageStart, unsafe last <= pageStart + page.count else { return }
    if let start = unsafe start, let end = unsafe end {
      unsafe self.start = unsafe min(start, first)
      unsafe self.end = unsafe max(end, last)
    } else {
      unsafe start = unsafe first
      unsafe end = unsafe last
    }
  }

  var bytes: UnsafeRawBufferPointer {
    guard let start = unsafe start, let end = unsafe end else {
      return unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    }
    return unsafe UnsafeRawBufferPointer(start: start, count: end - start)
  }
}
