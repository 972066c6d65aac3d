// The functions by which SQLite calls a virtual table, for all tables in Swift.
//
// Each takes the Swift object out of SQLite's structure, calls its method, and turns an error into a
// result code and the table's message.

internal import CEngine

@safe
final class VirtualTableModule: @unchecked Sendable {
  /// Never changed once it is made.
  private let module: UnsafeMutablePointer<sqlite3_module>

  /// A module is made once for the whole process. If `isShadow` is there, SQLite lets nobody but the
  /// module's tables write a table whose name is one of theirs, "_", and a name of which `isShadow`
  /// is not 0.
  init(isShadow: (@convention(c) (UnsafePointer<CChar>?) -> Int32)? = nil) {
    unsafe module = UnsafeMutablePointer<sqlite3_module>.allocate(capacity: 1)
    unsafe module.initialize(to: sqlite3_module())
    unsafe module.pointee.iVersion = 3
    // Two functions, because a module whose two are one has a table of its own name.
    unsafe module.pointee.xCreate = { unsafe connect($0, $1, $2, $3, $4, $5) }
    unsafe module.pointee.xConnect = { unsafe connect($0, $1, $2, $3, $4, $5) }
    unsafe module.pointee.xDisconnect = { unsafe disconnect($0) }
    unsafe module.pointee.xDestroy = { unsafe disconnect($0) }
    unsafe module.pointee.xBestIndex = { unsafe plan($0, $1) }
    unsafe module.pointee.xShadowName = unsafe isShadow
    setCursorMethods()
    setTransactionMethods()
  }

  /// Makes `CREATE VIRTUAL TABLE … USING name(…)` known to a connection. `source` must outlive the
  /// connection.
  func register(
    _ name: String, on connection: OpaquePointer, _ source: any TableSource
  ) throws(DatabaseError) {
    let box = unsafe Unmanaged.passRetained(SourceBox(source)).toOpaque()
    let code = unsafe sqlite3_create_module_v2(
      connection, name, module, box, { unsafe Unmanaged<SourceBox>.fromOpaque($0!).release() })
    if code != SQLITE_OK { throw unsafe DatabaseError(of: connection, code) }
  }

  private func setCursorMethods() {
    unsafe module.pointee.xOpen = { unsafe open($0, $1) }
    unsafe module.pointee.xClose = { unsafe close($0) }
    unsafe module.pointee.xFilter = { unsafe filter($0, $1, $3, $4) }
    unsafe module.pointee.xNext = { cursor in
      unsafe guarded(cursor!.pointee.pVtab) { () throws(DatabaseError) in
        try unsafe object(cursor).next()
      }
    }
    unsafe module.pointee.xEof = { unsafe object($0).isAtEnd ? 1 : 0 }
    unsafe module.pointee.xColumn = { (cursor, context, number) in
      unsafe guarded(cursor!.pointee.pVtab) { () throws(DatabaseError) in
        try unsafe object(cursor)
          .column(number, TableResult(context: context!))
      }
    }
    unsafe module.pointee.xRowid = { (_, _) in SQLITE_MISUSE }
    unsafe module.pointee.xUpdate = { (table, count, values, _) in
      unsafe update(table, count, values)
    }
  }

  private func setTransactionMethods() {
    // SQLite tells only those tables of the end that are told of the begin.
    unsafe module.pointee.xBegin = { _ in SQLITE_OK }
    unsafe module.pointee.xSync = { table in
      unsafe guarded(table) { () throws(DatabaseError) in try unsafe source(table).sync() }
    }
    unsafe module.pointee.xCommit = { table in
      unsafe source(table).commit()
      return SQLITE_OK
    }
    unsafe module.pointee.xRollback = { table in
      unsafe source(table).rollback()
      return SQLITE_OK
    }
    unsafe module.pointee.xSavepoint = { (table, number) in
      unsafe source(table).savepoint(number)
      return SQLITE_OK
    }
    unsafe module.pointee.xRelease = { (table, number) in
      unsafe source(table).release(number)
      return SQLITE_OK
    }
    unsafe module.pointee.xRollbackTo = { (table, number) in
      unsafe source(table).rollback(to: number)
      return SQLITE_OK
    }
  }
}

/// A module's source lives as long as SQLite knows the module.
private final class SourceBox {
  unowned let source: any TableSource
  init(_ source: any TableSource) { self.source = source }
}

@safe
private final class TableBox {
  let table: VirtualTable
  let source: SourceBox
  let connection: OpaquePointer
  init(_ table: VirtualTable, _ source: SourceBox, on connection: OpaquePointer) {
    self.table = table
    self.source = source
    unsafe self.connection = unsafe connection
  }
}

private typealias Table = UnsafeMutablePointer<sqlite3_vtab>?
private typealias Cursor = UnsafeMutablePointer<sqlite3_vtab_cursor>?

private func box(_ table: Table) -> TableBox {
  let structure = unsafe UnsafeMutableRawPointer(table!).assumingMemoryBound(to: cengine_table.self)
  return unsafe Unmanaged<TableBox>.fromOpaque(structure.pointee.object).takeUnretainedValue()
}

private func source(_ table: Table) -> any TableSource { unsafe box(table).source.source }

private func object(_ cursor: Cursor) -> VirtualCursor {
  let structure = unsafe UnsafeMutableRawPointer(cursor!)
    .assumingMemoryBound(to: cengine_cursor.self)
  return unsafe Unmanaged<VirtualCursor>.fromOpaque(structure.pointee.object).takeUnretainedValue()
}

/// Calls a method. Its error becomes the table's message.
private func guarded(_ table: Table, _ body: () throws(DatabaseError) -> Void) -> Int32 {
  do throws(DatabaseError) {
    try body()
    return SQLITE_OK
  } catch {
    unsafe cengine_set_error(table, error.message)
    return error.code
  }
}

private func connect(
  _ connection: OpaquePointer?, _ source: UnsafeMutableRawPointer?, _ count: Int32,
  _ words: UnsafePointer<UnsafePointer<CChar>?>?, _ result: UnsafeMutablePointer<Table>?,
  _ message: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
  let source = unsafe Unmanaged<SourceBox>.fromOpaque(source!).takeUnretainedValue()
  do throws(DatabaseError) {
    // The module, the database, the table, and the arguments.
    let name = unsafe count > 3 ? String(cString: words![3]!) : ""
    let table = try source.source.table(name)
    var code = unsafe sqlite3_declare_vtab(connection, table.declaration)
    if code == SQLITE_OK { code = unsafe cengine_make_innocuous(connection) }
    if code == SQLITE_OK, table.refusesKnownKeys {
      code = unsafe cengine_support_constraints(connection)
    }
    guard code == SQLITE_OK else { throw unsafe DatabaseError(of: connection, code) }
    let byteCount = unsafe MemoryLayout<cengine_table>.size
    guard let memory = unsafe sqlite3_malloc(Int32(byteCount)) else {
      throw DatabaseError(SQLITE_NOMEM, "no memory for a table")
    }
    let structure = unsafe memory.bindMemory(to: cengine_table.self, capacity: 1)
    unsafe structure.initialize(to: cengine_table())
    unsafe structure.pointee.object =
      unsafe Unmanaged.passRetained(TableBox(table, source, on: connection!)).toOpaque()
    unsafe result!.pointee = unsafe memory.assumingMemoryBound(to: sqlite3_vtab.self)
    return SQLITE_OK
  } catch {
    unsafe message!.pointee = unsafe cengine_copy(error.message)
    return error.code
  }
}

private func disconnect(_ table: Table) -> Int32 {
  let structure = unsafe UnsafeMutableRawPointer(table!).assumingMemoryBound(to: cengine_table.self)
  unsafe Unmanaged<TableBox>.fromOpaque(structure.pointee.object).release()
  unsafe sqlite3_free(structure)
  return SQLITE_OK
}

/// Finds the constraints that make rows few: the key columns that must be equal to something.
private func plan(_ table: Table, _ info: UnsafeMutablePointer<sqlite3_index_info>?) -> Int32 {
  let table = unsafe box(table).table
  let info = unsafe info!
  var plan = unsafe TablePlan(keys: 0, needs: table.needs(info.pointee.colUsed))
  var constraints: [Int: Int] = [:]
  for index in 0..<Int(unsafe info.pointee.nConstraint) {
    let constraint = unsafe info.pointee.aConstraint[index]
    guard constraint.usable != 0, constraint.op == UInt8(SQLITE_INDEX_CONSTRAINT_EQ),
      let key = table.keyColumns.firstIndex(of: Int(constraint.iColumn)),
      // Cursors compare byte by byte.
      unsafe strcmp(sqlite3_vtab_collation(info, Int32(index)), "BINARY") == 0
    else { continue }
    constraints[key] = index
    plan.keys |= 1 << Int32(key)
  }
  for (position, key) in constraints.keys.sorted().enumerated() {
    unsafe info.pointee.aConstraintUsage[constraints[key]!].argvIndex = Int32(position + 1)
  }
  unsafe info.pointee.idxNum = plan.number
  unsafe info.pointee.estimatedRows = max(1, table.rowCount(plan))
  unsafe info.pointee.estimatedCost = Double(max(1, table.rowCount(plan))) * 2
  return SQLITE_OK
}

private func open(_ table: Table, _ result: UnsafeMutablePointer<Cursor>?) -> Int32 {
  guard let memory = unsafe sqlite3_malloc(Int32(MemoryLayout<cengine_cursor>.size)) else {
    return SQLITE_NOMEM
  }
  let structure = unsafe memory.bindMemory(to: cengine_cursor.self, capacity: 1)
  unsafe structure.initialize(to: cengine_cursor())
  unsafe structure.pointee.object =
    unsafe Unmanaged.passRetained(box(table).table.open()).toOpaque()
  unsafe result!.pointee = unsafe memory.assumingMemoryBound(to: sqlite3_vtab_cursor.self)
  return SQLITE_OK
}

private func close(_ cursor: Cursor) -> Int32 {
  let structure = unsafe UnsafeMutableRawPointer(cursor!)
    .assumingMemoryBound(to: cengine_cursor.self)
  unsafe Unmanaged<VirtualCursor>.fromOpaque(structure.pointee.object).release()
  unsafe sqlite3_free(structure)
  return SQLITE_OK
}

private func filter(
  _ cursor: Cursor, _ number: Int32, _ count: Int32,
  _ values: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  let arguments = (0..<Int(count)).map { unsafe TableValue(handle: values![$0]!) }
  return unsafe guarded(cursor!.pointee.pVtab) { () throws(DatabaseError) in
    try unsafe object(cursor).filter(TablePlan(number: number), arguments)
  }
}

/// Deletes, inserts or updates one row: see "The xUpdate Method".
private func update(
  _ table: Table, _ count: Int32, _ values: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  let values = unsafe values!
  // What the table inserts into others is none of the statement's.
  let box = unsafe box(table)
  let row = unsafe sqlite3_last_insert_rowid(box.connection)
  defer { unsafe sqlite3_set_last_insert_rowid(box.connection, row) }
  let code = unsafe guarded(table) { () throws(DatabaseError) in
    let table = box.table
    let key = unsafe TableValue(handle: values[0]!)
    if count == 1 { return try table.delete(key) }
    let row = unsafe TableRow(values: values + 2)
    // Without a rowid, the second value is the new key, or what SQLite makes of none.
    if key.isNull { return try table.insert(row) }
    try table.update(key, to: row)
  }
  // Of any other error something may be written already, which only the end of the statement undoes.
  guard box.table.refusesKnownKeys, code & 0xff == SQLITE_CONSTRAINT,
    code != cengine_constraint_primary_key,
    unsafe sqlite3_vtab_on_conflict(box.connection) != SQLITE_ABORT
  else { return code }
  return SQLITE_ERROR
}
