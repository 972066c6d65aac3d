// A result as C sees it: the rows of one page, copied out of the ring once and checked, and a cursor
// where more pages may follow.
//
// One thread at a time uses a result. What touches the connection has the client's lock: a page is
// taken with it. The rows of a page are handed out without.

internal import CSluiceSQL
internal import CSluice
internal import SluiceLibrary
internal import SluiceSQL
internal import SluiceSystem
internal import SluiceWire

@safe
final class Rows: Handled {
  let client: Client
  private var cursor: SQLCursor?
  private(set) var columnCount = 0
  /// The values of the page's rows, row after row. Far ones have their length, and no bytes.
  private var values: UnsafeMutableBufferPointer<sluice_value>
  private var bytes: UnsafeMutableRawBufferPointer
  /// How much of `bytes` the page's texts and blobs take.
  private var byteCount = 0
  private var rowCount = 0
  /// The present row; -1 before the first.
  private var row = -1
  /// Whether the page is one row with values that are read in pieces.
  private var hasFarValues = false
  /// The names of the columns; all of them in one, each with a zero, once they are wanted.
  private var names: [[UInt8]] = []
  private var nameBytes: [UInt8] = []
  private var nameStarts: [Int] = []

  init(_ client: Client) {
    self.client = client
    unsafe values = UnsafeMutableBufferPointer(start: nil, count: 0)
    unsafe bytes = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    super.init(.rows)
  }

  deinit {
    unsafe values.deallocate()
    unsafe bytes.deallocate()
  }

  /// What else the execution told whose first page was taken.
  @inline(__always)
  func begin(_ execution: SQLExecution) {
    cursor = execution.cursor
    names = execution.names
    columnCount = names.count
  }

  func close() {
    cursor?.close()
    cursor = nil
    rowCount = 0
    row = -1
    nameStarts = []
  }

  /// Whether it may be kept for another result.
  var isSmall: Bool { unsafe values.count <= 1024 && bytes.count <= 16 << 10 }

  // MARK: Pages

  /// Copies a page's values; false if one of them is malformed.
  @inline(__always)
  func take(_ page: SQLPage) -> Bool {
    rowCount = 0
    row = -1
    hasFarValues = false
    columnCount = page.columnCount
    let cells = page.cells
    makeRoom(values: cells.count)
    var span = Span()
    for index in 0..<cells.count {
      guard let cell = cells[index] else { return false }
      unsafe values[index] = unsafe value(cell, &span)
    }
    move(span, cells.count)
    rowCount = page.rowCount
    return true
  }

  /// A value whose bytes are still in the page.
  @inline(__always)
  private func value(_ cell: SQLCell, _ span: inout Span) -> sluice_value {
    var value = unsafe sluice_value()
    switch cell {
    case .integer(let integer):
      unsafe value.type = SLUICE_INTEGER
      unsafe value.integer = integer
    case .real(let real):
      unsafe value.type = SLUICE_REAL
      unsafe value.real = real
    case .null: unsafe value.type = SLUICE_NULL
    case .text(let bytes), .blob(let bytes):
      if case .text = cell {
        unsafe value.type = SLUICE_TEXT
      } else {
        unsafe value.type = SLUICE_BLOB
      }
      unsafe value.length = UInt64(bytes.count)
      unsafe value.bytes = bytes.baseAddress
      unsafe span.add(bytes)
    case .farText(let byteCount), .farBlob(let byteCount):
      if case .farText = cell {
        unsafe value.type = SLUICE_TEXT
      } else {
        unsafe value.type = SLUICE_BLOB
      }
      unsafe value.length = byteCount
      unsafe value.reserved = Self.isFar
      hasFarValues = true
    }
    return unsafe value
  }

  /// In `reserved` of a value here.
  private static let isFar: Int32 = 1

  /// Copies the bytes of the first `count` values in one piece, and points the values to the copy.
  @inline(__always)
  private func move(_ span: Span, _ count: Int) {
    byteCount = span.byteCount
    guard byteCount > 0, let start = unsafe span.start else { return }
    makeRoom(bytes: byteCount)
    let copy = unsafe bytes.baseAddress!
    unsafe copy.copyMemory(from: start, byteCount: byteCount)
    for index in 0..<count
    where unsafe values[index].type == SLUICE_TEXT || values[index].type == SLUICE_BLOB {
      guard unsafe values[index].length > 0, let place = unsafe values[index].bytes,
        unsafe values[index].reserved != Self.isFar
      else { continue }
      unsafe values[index].bytes = UnsafeRawPointer(copy + (place - start))
    }
  }

  private func makeRoom(values count: Int) {
    guard unsafe values.count < count else { return }
    unsafe values.deallocate()
    unsafe values = .allocate(capacity: max(count, 16))
    unsafe values.initialize(repeating: sluice_value())
  }

  private func makeRoom(bytes count: Int) {
    guard unsafe bytes.count < count else { return }
    unsafe bytes.deallocate()
    unsafe bytes = .allocate(byteCount: max(count, 256), alignment: 16)
  }

  /// Goes to the next page; false behind the last.
  private func nextPage() throws(CallFailure) -> Bool {
    rowCount = 0
    row = -1
    guard let cursor else { return false }
    return try sql { () throws(SQLFailure) in
      guard let page = try cursor.nextPage() else { return false }
      guard take(page) else { throw .malformed }
      cursor.passPage()
      return true
    }
  }

  // MARK: Rows

  /// Goes to the next row of this page, where that needs no lock. The second row has the next page
  /// asked for: who reads one row only does not want that.
  @inline(__always)
  func stepInPage() -> Bool {
    guard row + 1 < rowCount, row != 0 || cursor == nil else { return false }
    row += 1
    return true
  }

  func step() throws(CallFailure) -> Int32 {
    if row + 1 < rowCount {
      row += 1
      if let cursor { try sql { () throws(SQLFailure) in try cursor.prepareNextPage() } }
      return SLUICE_ROW
    }
    guard try nextPage() else { return SLUICE_DONE }
    row = 0
    return SLUICE_ROW
  }

  /// Goes to the last row that is here, and gives all behind the present one.
  func nextRows() throws(CallFailure) -> sluice_rows? {
    if row + 1 >= rowCount {
      guard try nextPage() else { return nil }
    } else if let cursor, !hasFarValues {
      try sql { () throws(SQLFailure) in try cursor.prepareNextPage() }
    }
    let first = row + 1
    row = rowCount - 1
    if hasFarValues { for column in 0..<columnCount { try readFar(column) } }
    let count = rowCount - first
    return unsafe sluice_rows(
      row_count: UInt64(count), column_count: UInt64(columnCount),
      values: values.baseAddress.map { unsafe UnsafePointer($0 + first * columnCount) },
      bytes: byteCount == 0 ? nil : UnsafeRawPointer(bytes.baseAddress),
      byte_count: UInt64(byteCount), has_more: cursor?.mayHaveMoreRows ?? false ? 1 : 0)
  }

  // MARK: Values

  /// A value of the present row, where no lock is needed for it.
  @inline(__always)
  func value(_ column: Int32) -> sluice_value? {
    guard row >= 0, row < rowCount, column >= 0, column < columnCount else { return nil }
    let value = unsafe values[row * columnCount + Int(column)]
    return unsafe value.reserved == Self.isFar ? nil : value
  }

  /// A value of the present row that has to be read in pieces; or why it cannot be had.
  func farValue(_ column: Int32) throws(CallFailure) -> sluice_value {
    guard row >= 0, row < rowCount else {
      throw .own(SLUICE_MISUSE, "the result stands on no row; sluice_step goes to the next")
    }
    guard column >= 0, column < columnCount else {
      throw .own(SLUICE_RANGE, "the result has no such column; columns begin at 0")
    }
    try readFar(Int(column))
    return unsafe values[row * columnCount + Int(column)]
  }

  /// The type of a value, which far ones tell as well.
  @inline(__always)
  func type(_ column: Int32) -> Int32? {
    guard row >= 0, row < rowCount, column >= 0, column < columnCount else { return nil }
    return unsafe values[row * columnCount + Int(column)].type
  }

  private func readFar(_ column: Int) throws(CallFailure) {
    let index = row * columnCount + column
    guard unsafe values[index].reserved == Self.isFar, let cursor else { return }
    switch try sql({ () throws(SQLFailure) in try cursor.value(column) }) {
    case .text(let bytes), .blob(let bytes):
      unsafe values[index].length = UInt64(bytes.count)
      unsafe values[index].bytes = bytes.baseAddress
      unsafe values[index].reserved = 0
    default: throw .sql(.malformed)
    }
  }

  // MARK: Names

  func name(_ column: Int32) -> UnsafePointer<CChar>? {
    guard column >= 0, column < names.count else { return nil }
    if nameStarts.isEmpty {
      nameBytes = []
      for name in names {
        nameStarts.append(nameBytes.count)
        nameBytes += name
        nameBytes.append(0)
      }
    }
    // The array has its own memory, which stays where it is.
    return unsafe nameBytes.withUnsafeBufferPointer {
      unsafe UnsafeRawPointer($0.baseAddress! + nameStarts[Int(column)])
        .assumingMemoryBound(to: CChar.self)
    }
  }
}

/// From the first to the last of some bytes in a page.
@safe
private struct Span {
  private(set) var start: UnsafeRawPointer?
  private var end: UnsafeRawPointer?

  var byteCount: Int {
    guard let start = unsafe start, let end = unsafe end else { return 0 }
    return unsafe end - start
  }

  @inline(__always)
  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count > 0, let first = bytes.baseAddress else { return }
    unsafe start = unsafe start.map { unsafe min($0, first) } ?? first
    let last = unsafe first + bytes.count
    unsafe end = unsafe end.map { unsafe max($0, last) } ?? last
  }
}
