// The rows of one execution, read page by page. The next page is asked for while the present one is
// read, so that client and engine both work.

internal import CSluice
internal import SluiceChannel
internal import SluiceClient
public import SluiceWire

public final class SQLCursor {
  private let connection: SQLConnection
  private let statement: KnownStatement
  private let id: UInt64
  /// The columns' names (UTF-8).
  public let names: [[UInt8]]
  /// How many rows the statement inserted, changed or deleted; 0 for one that only reads.
  public let changes: Int64
  /// The row id that the connection inserted last.
  public let lastInsertedRowID: Int64
  /// Where the text's next statement begins; 0 if it has one statement.
  public let tail: Int
  /// Whether the statement only reads.
  public let onlyReads: Bool

  private var page: SQLPage
  /// The request of the present page, while it is read in the ring.
  private var number: UInt32?
  /// The present page, where it was copied.
  private var copy: PageCopy?
  /// The request of the next page, if that was asked for.
  private var nextNumber: UInt32?
  /// The next page, where it was copied.
  private var nextCopy: PageCopy?
  /// The present row in the page; -1 before the first.
  private var row = -1
  /// Why there is no next page, if the engine has told.
  private var nextFailure: SQLFailure?
  /// Whether more rows may come after this page.
  private var isOpen: Bool
  /// Whether the statement counts this cursor.
  private var isCounted = false
  /// The far values of the present row that were read, by column.
  private var farValues: [(column: Int, bytes: [UInt8])] = []

  init(_ connection: SQLConnection, _ statement: KnownStatement, _ page: SQLPage, _ number: UInt32)
  {
    self.connection = connection
    self.statement = statement
    self.page = page
    id = page.head.statement
    names = statement.names
    changes = page.head.changes
    lastInsertedRowID = page.head.row_id
    tail = Int(page.head.tail)
    onlyReads = page.onlyReads
    isOpen = page.hasMore
    if isOpen, id == statement.id {
      statement.cursorCount += 1
      isCounted = true
    }
    if page.rowCount > 0 { self.number = number } else { connection.release(number) }
  }

  deinit { close() }

  // MARK: Rows

  /// Goes to the next row; false behind the last.
  @inline(__always)
  public func step() throws(SQLFailure) -> Bool {
    if !farValues.isEmpty { farValues = [] }
    row += 1
    if row >= page.rowCount, try !turnPage() { return false }
    if isOpen { try prepareNext() }
    return true
  }

  /// A value of the present row.
  @inline(__always)
  public func value(_ column: Int) throws(SQLFailure) -> SQLCell {
    precondition(row >= 0 && row < page.rowCount && column < page.columnCount, "a value of a row")
    guard let cell = page.cell(row: row, column: column) else {
      connection.end()
      throw .malformed
    }
    switch cell {
    case .farText, .farBlob: return try near(cell, column)
    default: return cell
    }
  }

  /// Whether rows may follow this page.
  package var mayHaveMoreRows: Bool { isOpen }

  /// Goes behind the present page and gives the next one as a whole; nil behind the last. It is
  /// valid until `passPage`, which has to follow.
  package func nextPage() throws(SQLFailure) -> SQLPage? {
    if !farValues.isEmpty { farValues = [] }
    row = page.rowCount
    guard try turnPage() else { return nil }
    row = page.rowCount - 1
    if isOpen { try askAhead() }
    return page
  }

  /// The caller has copied the present page. Where its last row has far values, they can be read
  /// from now on.
  package func passPage() {
    row = page.rowCount - 1
    // They come through the ring, which is theirs then.
    if isOpen, hasFarValuesInLastRow { return detach() }
    row = page.rowCount
    releasePage()
  }

  /// The caller will want the next page, so the engine may begin with it.
  package func prepareNextPage() throws(SQLFailure) {
    if isOpen, nextNumber == nil, nextCopy == nil, nextFailure == nil { try askAhead() }
  }

  private func turnPage() throws(SQLFailure) -> Bool {
    guard isOpen else {
      row = page.rowCount
      releasePage()
      return false
    }
    releasePage()
    if let failure = nextFailure {
      over()
      throw failure
    } else if let copy = nextCopy {
      nextCopy = nil
      self.copy = copy
      take(copy.page)
    } else {
      if nextNumber == nil { try askAhead() }
      guard let number = nextNumber else { return false }
      nextNumber = nil
      try take(number)
    }
    row = 0
    if page.rowCount == 0 { releasePage() }
    return page.rowCount > 0
  }

  /// The engine has more rows of the statement than this page.
  private func prepareNext() throws(SQLFailure) {
    if row == page.rowCount - 1, number != nil, hasFarValuesInLastRow {
      // They come through the ring: what else is in the row must not lie there.
      detach()
    } else if row == page.rowCount / 2, nextNumber == nil, nextCopy == nil, nextFailure == nil {
      try askAhead()
    }
  }

  /// Asks for the next page, unless the last row of this one has values to be read before.
  private func askAhead() throws(SQLFailure) {
    if row < page.rowCount, hasFarValuesInLastRow { return }
    connection.place(self)
    nextNumber = unsafe try connection.submit(
      .sqlFetch, file: id, .none, room: SQLConnection.pageByteCount
    ) { unsafe $0.storeBytes(of: sluice_sql_request(), as: sluice_sql_request.self) }
  }

  private var hasFarValuesInLastRow: Bool {
    (0..<page.columnCount).contains { column in
      switch page.cell(row: page.rowCount - 1, column: column) {
      case .farText, .farBlob: true
      default: false
      }
    }
  }

  /// Takes the page that answers a request.
  private func take(_ number: UInt32) throws(SQLFailure) {
    do throws(SQLFailure) {
      let answer = try connection.answer(to: number)
      guard answer.status.isDone else { throw connection.failure(answer, number) }
      guard let page = unsafe SQLPage(answer.payload), page.columnCount == names.count else {
        throw connection.malformed(number)
      }
      self.number = number
      take(page)
    } catch {
      over()
      throw error
    }
  }

  private func take(_ page: SQLPage) {
    self.page = page
    connection.isAutocommit = page.isAutocommit
    if !page.hasMore { over() }
  }

  /// The engine has no more rows of it.
  private func over() {
    isOpen = false
    nextFailure = nil
    if isCounted { statement.cursorCount -= 1 }
    isCounted = false
  }

  private func releasePage() {
    copy = nil
    if let number = number.take() { connection.release(number) }
    if nextNumber == nil { connection.unplace(self) }
  }

  // MARK: Far values

  /// Reads a value that did not fit into the page.
  private func near(_ cell: SQLCell, _ column: Int) throws(SQLFailure) -> SQLCell {
    let (byteCount, isText) =
      switch cell {
      case .farText(let count): (count, true)
      case .farBlob(let count): (count, false)
      default: preconditionFailure("a far value")
      }
    if let known = farValues.first(where: { $0.column == column }) {
      return place(known.bytes, isText: isText)
    }
    guard byteCount <= 1 << 31 else {
      connection.end()
      throw .malformed
    }
    let bytes = try connection.read(statement: id, column: column, byteCount: Int(byteCount))
    farValues.append((column, bytes))
    return place(farValues[farValues.count - 1].bytes, isText: isText)
  }

  private func place(_ bytes: [UInt8], isText: Bool) -> SQLCell {
    // The array has its own memory, which stays where it is until the next step.
    unsafe bytes.withUnsafeBytes { unsafe isText ? .text($0) : .blob($0) }
  }

  // MARK: Its end

  /// Makes room in the ring: what was not read yet is copied.
  func detach() {
    if let number = number.take() {
      let copy = PageCopy(of: page)
      page = copy.page
      self.copy = copy
      connection.release(number)
    }
    if let number = nextNumber.take() {
      // A failure is told when the page is wanted. To ask again would be wrong, because the engine
      // may have begun the statement anew for another cursor.
      do throws(SQLFailure) {
        let answer = try connection.answer(to: number)
        guard answer.status.isDone else { throw connection.failure(answer, number) }
        guard let page = unsafe SQLPage(answer.payload), page.columnCount == names.count else {
          throw connection.malformed(number)
        }
        nextCopy = PageCopy(of: page)
        connection.release(number)
      } catch { nextFailure = error }
    }
    connection.unplace(self)
  }

  /// Ends the statement; the rows that were not read are dropped. A cursor that is read to its end,
  /// or let go, is closed.
  public func close() {
    if let number = nextNumber.take() {
      if let answer = try? connection.answer(to: number) {
        if let page = unsafe SQLPage(answer.payload), !page.hasMore { over() }
        connection.release(number)
      }
    }
    if isOpen, nextFailure == nil, nextCopy?.page.hasMore ?? true {
      connection.post(.sqlReset, file: id)
    }
    if isOpen { over() }
    nextCopy = nil
    releasePage()
    row = page.rowCount
  }
}
