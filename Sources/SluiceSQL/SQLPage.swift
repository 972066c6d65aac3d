// A page of rows as a client reads it: where the engine wrote it, or in a copy.

internal import CSluice
package import SluiceWire

@safe
package struct SQLPage {
  let head: sluice_sql_page
  private let range: UnsafeRawBufferPointer
  /// Where the rows begin.
  private let rowsStart: Int

  /// Nil if the page contradicts itself. The range stays valid as long as the page is used.
  init?(_ range: UnsafeRawBufferPointer) {
    let headByteCount = MemoryLayout<sluice_sql_page>.size
    guard range.count >= headByteCount, let start = range.baseAddress else { return nil }
    head = unsafe sluice_sql_page_copy(start)
    unsafe self.range = unsafe range
    let hasNames = UInt32(head.flags) & SLUICE_SQL_NAMES != 0
    let nameCount = hasNames ? Int(head.column_count) : 0
    let cellByteCount = MemoryLayout<sluice_sql_cell>.size
    rowsStart = headByteCount + nameCount * cellByteCount
    let room = range.count - rowsStart
    guard room >= 0,
      Int(head.row_count) * Int(head.column_count) <= room / cellByteCount,
      head.column_count > 0 || head.row_count == 0
    else { return nil }
  }

  /// The same page in other memory, which has the same bytes.
  init(_ page: SQLPage, movedTo range: UnsafeRawBufferPointer) {
    head = page.head
    rowsStart = page.rowsStart
    unsafe self.range = unsafe range
  }

  var byteCount: Int { unsafe range.count }
  var bytes: UnsafeRawBufferPointer { unsafe range }
  package var columnCount: Int { Int(head.column_count) }
  package var rowCount: Int { Int(head.row_count) }
  private var flags: UInt32 { UInt32(head.flags) }
  var hasMore: Bool { flags & SLUICE_SQL_MORE != 0 }
  var isAutocommit: Bool { flags & SLUICE_SQL_AUTOCOMMIT != 0 }
  var onlyReads: Bool { flags & SLUICE_SQL_READS != 0 }

  /// A value; nil if it is malformed.
  @inline(__always)
  package func cell(row: Int, column: Int) -> SQLCell? {
    let index = row * columnCount + column
    guard let cells = unsafe SQLCells(range, from: rowsStart, count: index + 1) else { return nil }
    return cells[index]
  }

  /// The cells of all rows, row after row.
  package var cells: SQLCells {
    guard let cells = unsafe SQLCells(range, from: rowsStart, count: rowCount * columnCount) else {
      preconditionFailure("a page that was checked")
    }
    return cells
  }

  /// The columns' names, if they are in this page; nil if they are not, or are malformed.
  var names: [[UInt8]]? {
    guard flags & SLUICE_SQL_NAMES != 0,
      let cells = unsafe SQLCells(
        range, from: MemoryLayout<sluice_sql_page>.size, count: columnCount)
    else { return nil }
    var names: [[UInt8]] = []
    for column in 0..<columnCount {
      guard case .text(let name)? = cells[column] else { return nil }
      unsafe names.append([UInt8](name))
    }
    return names
  }

  /// The message of an error's page.
  var message: [UInt8] {
    guard rowCount == 1, columnCount == 1, case .text(let text)? = cell(row: 0, column: 0)
    else { return [] }
    return unsafe [UInt8](text)
  }
}

/// A page's bytes, copied out of the ring.
@safe
final class PageCopy {
  private let memory: UnsafeMutableRawBufferPointer
  let page: SQLPage

  init(of page: SQLPage) {
    unsafe memory = .allocate(byteCount: page.byteCount, alignment: 16)
    unsafe memory.copyMemory(from: page.bytes)
    unsafe self.page = SQLPage(page, movedTo: UnsafeRawBufferPointer(memory))
  }

  deinit { unsafe memory.deallocate() }
}
