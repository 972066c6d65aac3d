// The SQL operations of one channel, or of an engine in the caller's process: requests in, pages
// out. It knows the payload's form, and nothing of how requests arrive.
//
// Confined to one thread at a time. What it reads in a payload may be changed by the client
// meanwhile: each head and cell is copied once, and text and blobs are copied before SQLite sees
// them.

internal import CEngine
internal import CSluice
package import SluiceChannel
package import SluiceWire

/// What became of a request. An error of SQLite has its message in the payload.
package struct SQLOutcome {
  package var status = Status.done
  /// SQLite's extended result code, with `sqlError`.
  package var errorNumber: Int32 = 0
  /// How many bytes of the payload the answer has.
  package var byteCount = 0
}

package final class SQLSession {
  private let place: DatabasePlace
  /// What makes the files of a state.
  private let plugins: PluginSet
  private let interruption: Interruption
  private(set) var connection: Connection?
  private var state: StateContext?
  var statements = StatementTable()
  var pieces = Pieces()
  /// What was done since it was last taken.
  var counts = StatementCounts()
  private var image: DatabaseImage?
  /// Whether the last execution was not done.
  private var chainIsBroken = false

  /// `isCancelled` and `isClientGone` are asked while statements run.
  package init(
    at place: DatabasePlace, plugins: PluginSet = .builtIn, isCancelled: @escaping () -> Bool,
    isClientGone: @escaping () -> Bool
  ) {
    self.place = place
    self.plugins = plugins
    interruption = Interruption(isCancelled: isCancelled, isClientGone: isClientGone)
  }

  // Statements must not outlive their connection.
  deinit { close() }

  // MARK: Opening

  package func open(
    _ request: SQLOpenRequest, _ payload: UnsafeMutableRawBufferPointer
  ) -> (SQLOutcome, SQLOpenReply) {
    guard connection == nil else { return (SQLOutcome(status: .misuse), SQLOpenReply()) }
    defer { pieces.removeAll() }
    do throws(DatabaseError) {
      let connection = try Connection(request, at: place, seed: pieces[0], interruption)
      state = try StatePipeline(
        on: connection, plugins: plugins, isWanted: request.options.contains(.state)
      ).context
      self.connection = connection
      let version = UInt64(sqlite3_libversion_number())
      return (SQLOutcome(), SQLOpenReply(sqliteVersion: version, capabilities: 0))
    } catch {
      return unsafe (refusal(error, payload), SQLOpenReply())
    }
  }

  /// Rolls back what is open, and closes.
  package func close() {
    statements = StatementTable()
    image = nil
    state = nil
    connection = nil
  }

  // MARK: Statements

  package func execute(
    _ id: UInt64, _ payload: UnsafeMutableRawBufferPointer
  ) throws(ProtocolViolation) -> SQLOutcome {
    guard let connection else { return SQLOutcome(status: .misuse) }
    guard let (head, cells) = unsafe request(payload) else { throw .arguments }
    // An execution uses up what was sent before it, however it ends.
    defer { if !pieces.isEmpty { pieces.removeAll() } }
    if head.flags & SLUICE_SQL_CHAINED != 0, chainIsBroken { return SQLOutcome(status: .skipped) }
    chainIsBroken = true
    guard payload.count >= Self.leastRoom else { return SQLOutcome(status: .tooLittleRoom) }
    interruption.begin(deadlineMilliseconds: head.deadline_ms)
    do throws(DatabaseError) {
      let (statement, tail) = try find(id, cells, head.flags, connection)
      guard let statement else {
        guard id == 0 else { return SQLOutcome(status: .unknownStatement) }
        // A text of blanks and comments.
        chainIsBroken = false
        return unsafe PageWriter(payload, connection).writeNothing(tail: tail)
      }
      if head.flags & SLUICE_SQL_IN_BATCH != 0, statement.effects.controlsTransaction {
        throw DatabaseError(
          SQLITE_MISUSE, "an atomic batch is one transaction; it cannot begin or end another")
      }
      try StateTables.check(statement.effects, on: connection)
      guard unsafe PageWriter.fits(columnCount: statement.columnCount, payload) else {
        return SQLOutcome(status: .tooLittleRoom)
      }
      do throws(DatabaseError) { try bind(cells, to: statement, connection) } catch {
        statement.reset()
        throw error
      }
      // Told before anything is written. A reading one is told with its page.
      if !statement.isReadOnly, statement.columnCount > 0,
        statements.cursorCount >= Limits.cursorCountMaximum
      {
        statement.reset()
        return SQLOutcome(status: .limitReached)
      }
      let outcome = try unsafe run(statement, head, tail: tail, payload, connection)
      if outcome.status == .done { chainIsBroken = false }
      return outcome
    } catch {
      return unsafe refusal(error, payload)
    }
  }

  package func fetch(
    _ id: UInt64, _ payload: UnsafeMutableRawBufferPointer
  ) throws(ProtocolViolation) -> SQLOutcome {
    guard let connection else { return SQLOutcome(status: .misuse) }
    guard let (head, _) = unsafe request(payload) else { throw .arguments }
    guard payload.count >= Self.leastRoom else { return SQLOutcome(status: .tooLittleRoom) }
    guard let statement = statements.statement(id), statement.state != .idle else {
      return SQLOutcome(status: .unknownStatement)
    }
    interruption.begin(deadlineMilliseconds: head.deadline_ms)
    do throws(DatabaseError) {
      var step = Statement.Step.row
      if statement.state == .behindRow { step = statement.next() }
      return try unsafe write(step, of: statement, head, payload, connection)
    } catch {
      return unsafe refusal(error, payload)
    }
  }

  package func reset(_ id: UInt64) -> SQLOutcome {
    guard connection != nil else { return SQLOutcome(status: .misuse) }
    guard let statement = statements.statement(id) else {
      return SQLOutcome(status: .unknownStatement)
    }
    statement.reset()
    return SQLOutcome()
  }

  /// Room for a head, and a cell with a message.
  private static var leastRoom: Int { 256 }

  private func request(
    _ payload: UnsafeMutableRawBufferPointer
  ) -> (sluice_sql_request, SQLCells)? {
    let headByteCount = MemoryLayout<sluice_sql_request>.size
    guard payload.count >= headByteCount else { return nil }
    let head = unsafe sluice_sql_request_copy(payload.baseAddress!)
    guard head.cell_count <= UInt32(Limits.parameterCountMaximum) + 1,
      let cells = unsafe SQLCells(
        UnsafeRawBufferPointer(payload), from: headByteCount, count: Int(head.cell_count))
    else { return nil }
    return (head, cells)
  }

  /// The statement that a request means, ready to be bound; and where its text goes on. Nil for an
  /// id that is not known, and for a text without a statement.
  @inline(__always)
  private func find(
    _ id: UInt64, _ cells: SQLCells, _ flags: UInt32, _ connection: Connection
  ) throws(DatabaseError) -> (Statement?, tail: Int) {
    if id != 0 {
      guard let statement = statements.statement(id) else { return (nil, 0) }
      counts.hits += 1
      guard statement.tail == 0 || flags & SLUICE_SQL_FIRST_ONLY != 0 else {
        throw DatabaseError(
          SQLITE_MISUSE, "the SQL has more than one statement", offset: Int64(statement.tail))
      }
      if statement.state != .idle { statement.reset() }
      return (statement, statement.tail)
    }
    return try compile(cells, flags, connection)
  }

  private func compile(
    _ cells: SQLCells, _ flags: UInt32, _ connection: Connection
  ) throws(DatabaseError) -> (Statement?, tail: Int) {
    let text = try text(cells)
    let isForFirst = flags & SLUICE_SQL_FIRST_ONLY != 0
    if let statement = statements.idleStatement(text), isForFirst || statement.tail == 0 {
      counts.hits += 1
      return (statement, statement.tail)
    }
    counts.misses += 1
    let compiled = try connection.compile(text)
    guard unsafe compiled.handle != nil else { return (nil, 0) }
    guard isForFirst || compiled.tail == 0 else {
      unsafe sqlite3_finalize(compiled.handle)
      throw DatabaseError(
        SQLITE_MISUSE, "the SQL has more than one statement", offset: Int64(compiled.tail))
    }
    return (statements.add(text, compiled), compiled.tail)
  }

  private func text(_ cells: SQLCells) throws(DatabaseError) -> [UInt8] {
    if cells.count > 0 {
      switch cells[0] {
      case .text(let bytes): return unsafe [UInt8](bytes)
      case .farText: if let bytes = pieces[SQLValueWriteRequest.sqlText] { return bytes }
      default: break
      }
    }
    throw DatabaseError(SQLITE_MISUSE, "the request has no SQL")
  }

  @inline(__always)
  private func bind(
    _ cells: SQLCells, to statement: Statement, _ connection: Connection
  ) throws(DatabaseError) {
    let count = max(0, cells.count - 1)
    guard count == statement.parameterCount else {
      throw DatabaseError(
        SQLITE_RANGE,
        "the statement has \(statement.parameterCount) parameters, and \(count) values came")
    }
    if count == 0 { return }
    statement.copies.removeAll()
    for index in 1...count {
      let code: Int32
      switch cells[index] {
      case .integer(let value):
        code = unsafe sqlite3_bind_int64(statement.handle, Int32(index), value)
      case .real(let value):
        code = unsafe sqlite3_bind_double(statement.handle, Int32(index), value)
      case .null: code = unsafe sqlite3_bind_null(statement.handle, Int32(index))
      case .text(let text):
        let copy = unsafe statement.copies.add(text)
        code = unsafe cengine_bind_text(
          statement.handle, Int32(index), copy ?? text.baseAddress, UInt64(text.count),
          copy == nil ? 0 : 1)
      case .blob(let blob):
        let copy = unsafe statement.copies.add(blob)
        code = unsafe cengine_bind_blob(
          statement.handle, Int32(index), copy ?? blob.baseAddress, UInt64(blob.count),
          copy == nil ? 0 : 1)
      case .farText: code = try bindFar(index, isText: true, statement)
      case .farBlob: code = try bindFar(index, isText: false, statement)
      case nil: throw DatabaseError(SQLITE_MISUSE, "parameter \(index) is malformed")
      }
      try connection.check(code)
    }
  }

  private func bindFar(
    _ index: Int, isText: Bool, _ statement: Statement
  ) throws(DatabaseError) -> Int32 {
    guard let value = pieces[UInt64(index)] else {
      throw DatabaseError(SQLITE_MISUSE, "parameter \(index) was not sent whole")
    }
    statement.hasFarValues = true
    return unsafe value.withUnsafeBytes {
      unsafe isText
        ? cengine_bind_text(statement.handle, Int32(index), $0.baseAddress, UInt64($0.count), 0)
        : cengine_bind_blob(statement.handle, Int32(index), $0.baseAddress, UInt64($0.count), 0)
    }
  }

  @inline(__always)
  private func run(
    _ statement: Statement, _ head: sluice_sql_request, tail: Int,
    _ payload: UnsafeMutableRawBufferPointer, _ connection: Connection
  ) throws(DatabaseError) -> SQLOutcome {
    // SQLite keeps what a virtual table has done of one row before it failed.
    let isGuarded = statement.effects.writesSource && !connection.isAutocommit
    if isGuarded { try connection.guardStatement() }
    state?.isInserting = statement.effects.insertsIntoSource
    let before = unsafe statement.isReadOnly ? 0 : sqlite3_total_changes64(connection.handle)
    let step = statement.begin()
    var changes: Int64 = 0
    if !statement.isReadOnly, unsafe sqlite3_total_changes64(connection.handle) != before {
      changes = unsafe sqlite3_changes64(connection.handle)
    }
    guard isGuarded else {
      return try unsafe write(
        step, of: statement, head, payload, connection, changes: changes, tail: tail)
    }
    let hasFailed = if case .failed(let code) = step { connection.hasRefused(code) } else { false }
    do throws(DatabaseError) {
      let outcome = try unsafe write(
        step, of: statement, head, payload, connection, changes: changes, tail: tail)
      try connection.endStatement(isUndone: false)
      return outcome
    } catch {
      try? connection.endStatement(isUndone: hasFailed)
      throw error
    }
  }

  /// Answers with the rows from this step on.
  @inline(__always)
  private func write(
    _ step: Statement.Step, of statement: Statement, _ head: sluice_sql_request,
    _ payload: UnsafeMutableRawBufferPointer, _ connection: Connection, changes: Int64 = 0,
    tail: Int = 0
  ) throws(DatabaseError) -> SQLOutcome {
    var writer = unsafe PageWriter(payload, connection)
    let outcome = try writer.write(step, of: statement, head, changes: changes, tail: tail)
    counts.rows += UInt64(writer.rowCount)
    // Only a statement that goes on can be one too many.
    if statement.state != .idle, statements.cursorCount > Limits.cursorCountMaximum {
      statement.reset()
      return SQLOutcome(status: .limitReached)
    }
    return outcome
  }

  private func refusal(
    _ error: DatabaseError, _ payload: UnsafeMutableRawBufferPointer
  ) -> SQLOutcome {
    var error = error
    if error.code & 0xff == SQLITE_BUSY, interruption.wasDue {
      error = DatabaseError(SQLITE_INTERRUPT, "interrupted while it waited for a lock")
    }
    let byteCount = unsafe PageWriter.write(
      error, isAutocommit: connection?.isAutocommit ?? true, payload)
    return SQLOutcome(status: .sqlError, errorNumber: error.code, byteCount: byteCount)
  }

  // MARK: Values in pieces

  package func valueRead(
    _ id: UInt64, _ request: SQLValueReadRequest, _ payload: UnsafeMutableRawBufferPointer
  ) -> SQLOutcome {
    guard let statement = statements.statement(id), statement.state == .behindRow else {
      return SQLOutcome(status: .unknownStatement)
    }
    guard request.column < UInt64(statement.columnCount) else { return SQLOutcome(status: .misuse) }
    let bytes: UnsafeRawBufferPointer
    switch statement.value(Int(request.column)) {
    case .text(let text): unsafe bytes = unsafe text
    case .blob(let blob): unsafe bytes = unsafe blob
    case .integer, .real, .null: return SQLOutcome(status: .misuse)
    }
    let count = max(0, min(payload.count, bytes.count - Int(request.offset)))
    if count > 0 {
      unsafe payload.baseAddress!.copyMemory(
        from: bytes.baseAddress! + Int(request.offset), byteCount: count)
    }
    return SQLOutcome(byteCount: count)
  }

  package func valueWrite(
    _ request: SQLValueWriteRequest, _ payload: UnsafeMutableRawBufferPointer
  ) -> SQLOutcome {
    guard isParameter(request.parameter) else { return SQLOutcome(status: .misuse) }
    let maximum =
      request.parameter == 0 ? Limits.imageByteCountMaximum : Limits.valueByteCountMaximum
    do throws(Pieces.Refusal) {
      try unsafe pieces.add(
        UnsafeRawBufferPointer(payload), to: request.parameter, at: request.offset,
        of: request.byteCount, maximum: maximum)
      return SQLOutcome()
    } catch {
      return SQLOutcome(status: error == .tooLarge ? .limitReached : .misuse)
    }
  }

  /// An image is for an open to come.
  private func isParameter(_ number: UInt64) -> Bool {
    if number == 0 { return connection == nil }
    return number <= UInt64(Limits.parameterCountMaximum) || number == SQLValueWriteRequest.sqlText
  }

  /// The first piece makes the image, the last one drops it.
  package func export(
    _ offset: Int64, _ payload: UnsafeMutableRawBufferPointer
  ) -> (SQLOutcome, OffsetFields) {
    guard let connection else { return (SQLOutcome(status: .misuse), OffsetFields()) }
    do throws(DatabaseError) {
      if offset == 0 { image = try DatabaseImage(of: connection) }
      guard let image else { return (SQLOutcome(status: .misuse), OffsetFields()) }
      let count = unsafe image.copy(from: Int(offset), into: payload)
      if Int(offset) + count >= image.byteCount { self.image = nil }
      return (SQLOutcome(byteCount: count), OffsetFields(offset: Int64(image.byteCount)))
    } catch {
      return unsafe (refusal(error, payload), OffsetFields())
    }
  }

  // MARK: Changes of the state

  func awaitChanges(
    _ request: SQLChangesRequest, _ payload: UnsafeMutableRawBufferPointer
  ) -> (SQLOutcome, SQLChangesReply) {
    guard let state else {
      return (SQLOutcome(status: .misuse), SQLChangesReply())
    }
    interruption.begin(deadlineMilliseconds: 0)
    do throws(DatabaseError) {
      let number = try CommitWait(state, interruption).number(
        after: request.number, milliseconds: request.milliseconds)
      return (SQLOutcome(), SQLChangesReply(number: number))
    } catch {
      return unsafe (refusal(error, payload), SQLChangesReply())
    }
  }
}
