// Rows of cells in a payload range: what SQL statements, parameters and results are on the wire.
//
// Cells grow upwards from a start that both sides know. The bytes of texts and blobs grow downwards
// from the range's end. A writer stops when they would meet. A reader copies a cell out of the
// range once, checks it, and uses only its copy; bytes that it then reads where they lie may still
// be changed by the peer.

internal import CSluice

/// A cell as it was read.
@safe
public enum SQLCell {
  case integer(Int64)
  case real(Double)
  /// Bytes in the range. A text is UTF-8 if its writer obeys the protocol.
  case text(UnsafeRawBufferPointer)
  case blob(UnsafeRawBufferPointer)
  case null
  /// A value that is not in the range, and its byte count.
  case farText(UInt64)
  case farBlob(UInt64)
}

/// Writes cells into a range.
@safe
public struct SQLCellWriter {
  private let range: UnsafeMutableRawBufferPointer
  /// Where the next cell begins.
  public private(set) var cellsEnd: Int
  /// Where the bytes of texts and blobs begin.
  public private(set) var bytesStart: Int

  /// `start` is a multiple of 8, and the range begins at one.
  @inline(__always)
  public init(_ range: UnsafeMutableRawBufferPointer, from start: Int) {
    unsafe self.range = unsafe range
    cellsEnd = start
    bytesStart = range.count
  }

  private static var cellByteCount: Int { MemoryLayout<sluice_sql_cell>.size }

  /// Whether so many cells fit.
  @inline(__always)
  public func hasRoom(forCells count: Int) -> Bool {
    count <= (bytesStart - cellsEnd) / Self.cellByteCount
  }

  /// Whether the bytes fit behind the cells, if `cellCount` more cells come.
  @inline(__always)
  public func hasRoom(forBytes byteCount: Int, beforeCells cellCount: Int) -> Bool {
    byteCount <= bytesStart - cellsEnd - cellCount * Self.cellByteCount
  }

  /// Everything that was written since `mark` was taken is given up.
  public mutating func goBack(to mark: SQLCellWriter) {
    cellsEnd = mark.cellsEnd
    bytesStart = mark.bytesStart
  }

  @inline(__always)
  private mutating func put(_ type: Int32, byteCount: Int = 0, _ value: UInt64) {
    precondition(cellsEnd + Self.cellByteCount <= bytesStart, "a cell that has room")
    let cell = sluice_sql_cell(
      type: UInt8(type), reserved: (0, 0, 0), byte_count: UInt32(byteCount), value: value)
    unsafe range.storeBytes(of: cell, toByteOffset: cellsEnd, as: sluice_sql_cell.self)
    cellsEnd += Self.cellByteCount
  }

  @inline(__always)
  public mutating func integer(_ value: Int64) {
    put(SLUICE_SQL_INTEGER, UInt64(bitPattern: value))
  }

  @inline(__always)
  public mutating func real(_ value: Double) { put(SLUICE_SQL_REAL, value.bitPattern) }

  @inline(__always)
  public mutating func null() { put(SLUICE_SQL_NULL, 0) }

  @inline(__always)
  public mutating func text(_ bytes: UnsafeRawBufferPointer) {
    unsafe sequence(SLUICE_SQL_TEXT, bytes)
  }

  @inline(__always)
  public mutating func blob(_ bytes: UnsafeRawBufferPointer) {
    unsafe sequence(SLUICE_SQL_BLOB, bytes)
  }

  public mutating func farText(byteCount: UInt64) { put(SLUICE_SQL_FAR_TEXT, byteCount) }
  public mutating func farBlob(byteCount: UInt64) { put(SLUICE_SQL_FAR_BLOB, byteCount) }

  @inline(__always)
  private mutating func sequence(_ type: Int32, _ bytes: UnsafeRawBufferPointer) {
    // An empty one lies nowhere. The range's end would not do: an answer may be cut off behind its
    // cells.
    guard bytes.count > 0 else { return put(type, 0) }
    bytesStart -= bytes.count
    put(type, byteCount: bytes.count, UInt64(bytesStart))
    unsafe range.baseAddress!.advanced(by: bytesStart).copyMemory(
      from: bytes.baseAddress!, byteCount: bytes.count)
  }
}

/// Reads cells out of a range that the peer may be changing.
@safe
public struct SQLCells {
  public let range: UnsafeRawBufferPointer
  /// Where the first cell lies.
  public let start: Int
  public let count: Int

  /// Nil if the cells leave the range. The range begins at a multiple of 8, and `start` is one.
  @inline(__always)
  public init?(_ range: UnsafeRawBufferPointer, from start: Int, count: Int) {
    guard count >= 0, start <= range.count,
      count <= (range.count - start) / MemoryLayout<sluice_sql_cell>.size
    else { return nil }
    unsafe self.range = unsafe range
    self.start = start
    self.count = count
  }

  /// Nil if the cell has no such type, or its bytes leave the range.
  @inline(__always)
  public subscript(_ index: Int) -> SQLCell? {
    precondition(index < count, "a cell of these")
    let place = start + index * MemoryLayout<sluice_sql_cell>.size
    let cell = unsafe sluice_sql_cell_copy(range.baseAddress! + place)
    switch Int32(cell.type) {
    case SLUICE_SQL_INTEGER: return .integer(Int64(bitPattern: cell.value))
    case SLUICE_SQL_REAL: return .real(Double(bitPattern: cell.value))
    case SLUICE_SQL_NULL: return .null
    case SLUICE_SQL_TEXT: return unsafe bytes(of: cell).map { unsafe .text($0) }
    case SLUICE_SQL_BLOB: return unsafe bytes(of: cell).map { unsafe .blob($0) }
    case SLUICE_SQL_FAR_TEXT: return .farText(cell.value)
    case SLUICE_SQL_FAR_BLOB: return .farBlob(cell.value)
    default: return nil
    }
  }

  @inline(__always)
  private func bytes(of cell: sluice_sql_cell) -> UnsafeRawBufferPointer? {
    let byteCount = UInt64(cell.byte_count)
    let room = unsafe UInt64(range.count)
    guard cell.value <= room, byteCount <= room - cell.value else {
      return nil
    }
    let place = Int(cell.value)
    return unsafe UnsafeRawBufferPointer(rebasing: range[place..<place + Int(byteCount)])
  }
}
