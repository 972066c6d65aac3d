// The rows of a statement that writes (INSERT … RETURNING, some PRAGMAs), kept until they are read.

internal import CEngine

@safe
struct KeptRows {
  private enum Kept {
    case integer(Int64)
    case real(Double)
    case text(Range<Int>)
    case blob(Range<Int>)
    case null
  }

  private var values: [Kept] = []
  private var bytes: [UInt8] = []
  private var columnCount = 0
  /// The present row; -1 before the first.
  private var row = -1

  /// Keeps the row on which a statement stands; false if that would be too much.
  mutating func keep(rowOf handle: OpaquePointer) -> Bool {
    columnCount = unsafe Int(sqlite3_column_count(handle))
    for column in 0..<columnCount {
      switch unsafe columnValue(handle, column) {
      case .integer(let value): values.append(.integer(value))
      case .real(let value): values.append(.real(value))
      case .null: values.append(.null)
      case .text(let text): unsafe values.append(.text(keep(text)))
      case .blob(let blob): unsafe values.append(.blob(keep(blob)))
      }
    }
    let valueByteCount = values.count * MemoryLayout<Kept>.stride
    return bytes.count + valueByteCount <= Limits.keptByteCountMaximum
  }

  private mutating func keep(_ value: UnsafeRawBufferPointer) -> Range<Int> {
    let start = bytes.count
    unsafe bytes.append(contentsOf: value)
    return start..<bytes.count
  }

  /// Costs nothing where there are none.
  mutating func removeAll() {
    if columnCount > 0 { self = KeptRows() }
  }

  /// Goes to the next row; false behind the last.
  mutating func next() -> Bool {
    guard columnCount > 0, (row + 2) * columnCount <= values.count else { return false }
    row += 1
    return true
  }

  /// A value of the present row. Its bytes are valid while these rows are not changed.
  func value(_ column: Int) -> Statement.Value {
    switch values[row * columnCount + column] {
    case .integer(let value): .integer(value)
    case .real(let value): .real(value)
    case .null: .null
    case .text(let range): unsafe .text(place(range))
    case .blob(let range): unsafe .blob(place(range))
    }
  }

  private func place(_ range: Range<Int>) -> UnsafeRawBufferPointer {
    // The array has its own memory, which stays where it is until it changes.
    unsafe bytes.withUnsafeBytes { unsafe UnsafeRawBufferPointer(rebasing: $0[range]) }
  }
}
