// The state pipeline of a connection: its virtual tables, and what the pipeline does as transactions
// end. Confined to the connection's thread.

internal import CEngine

final class StatePipeline: TableSource {
  let context: StateContext
  /// The transaction that is being committed has changed the state.
  private var hasCommit = false

  /// Makes the tables known to a connection, which keeps the pipeline. If the state `isWanted`, the
  /// database gets it.
  init(on connection: Connection, plugins: PluginSet, isWanted: Bool) throws(DatabaseError) {
    context = unsafe StateContext(
      on: connection.handle, plugins: plugins, connection.interruption)
    // Without the modules, the state's tables would be anybody's to write.
    try unsafe StateTables.module.register("state", on: connection.handle, self)
    try unsafe StateTables.viewModule.register("state_view", on: connection.handle, self)
    connection.keep(self, names: StateTables.ownNames)
    if isWanted { try StateTables.boot(connection) }
    guard try StateTables.areIn(connection) else { return }
    // A statement that writes a state is a savepoint, whose pages would go to a file of the sidecar.
    try connection.run("PRAGMA temp_store = MEMORY")
    try context.loadSettings()
  }

  func table(_ name: String) throws(DatabaseError) -> VirtualTable {
    try context.loadSettings()
    switch name {
    case "state": return StateTable(context, .active)
    case "state_all": return StateTable(context, .all)
    case "state_with_tombstones": return StateTable(context, .tombstones)
    case "version": return VersionTable(context)
    case "version_merge": return MergeTable(context)
    case "active_version": return ActiveVersionTable(context)
    case "active_account": return ActiveAccountTable(context)
    case "key_value": return EntityTable(context, .keyValue, isForAll: false)
    case "key_value_all": return EntityTable(context, .keyValue, isForAll: true)
    case "account": return EntityTable(context, .account, isForAll: false)
    case "account_all": return EntityTable(context, .account, isForAll: true)
    case "stored_schema": return EntityTable(context, .storedSchema, isForAll: false)
    case "file": return FileTable(context, isForAll: false)
    case "file_all": return FileTable(context, isForAll: true)
    case "state_history": return StateHistoryTable(context)
    case "file_history": return FileHistoryTable(context)
    default: throw DatabaseError(SQLITE_ERROR, "there is no table '\(name)' in the state pipeline")
    }
  }

  func sync() throws(DatabaseError) {
    // Each table that was written calls this; the first call does all.
    guard let transaction = context.written else { return }
    // A COMMIT that was busy can be followed by more writes, and another COMMIT.
    if try StateCommit(context, transaction).make() { hasCommit = true }
    context.noteSynced()
  }

  func commit() {
    context.commit()
    if hasCommit { CommitNotice.shared.tell() }
    hasCommit = false
  }

  func rollback() {
    context.rollback()
    hasCommit = false
  }

  func savepoint(_ number: Int32) { context.savepoint(number) }
  func release(_ number: Int32) { context.release(number) }
  func rollback(to number: Int32) { context.rollback(to: number) }

  func end() { context.pool.end() }
}
