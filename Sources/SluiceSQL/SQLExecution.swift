// What an execution told, for callers that take its first page as a whole.

internal import CSluice

package struct SQLExecution {
  package let changes: Int64
  package let lastInsertedRowID: Int64
  package let tail: Int
  /// The columns' names (UTF-8).
  package let names: [[UInt8]]
  /// Gives the rows behind the first page, if there may be more.
  package let cursor: SQLCursor?

  @inline(__always)
  init(_ page: SQLPage, _ names: [[UInt8]], _ cursor: SQLCursor?) {
    changes = page.head.changes
    lastInsertedRowID = page.head.row_id
    tail = Int(page.head.tail)
    self.names = names
    self.cursor = cursor
  }
}
