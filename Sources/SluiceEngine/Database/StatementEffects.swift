// What a statement does that the engine has to know before it runs, as its compilation tells. Pure.

internal import CEngine

struct StatementEffects: Equatable {
  /// It begins or ends a transaction.
  private(set) var controlsTransaction = false
  /// It writes a table of the names that were given.
  private(set) var writesSource = false
  /// It inserts into one.
  private(set) var insertsIntoSource = false
  /// It alters a table. SQLite does not say to which name.
  private(set) var altersTable = false
  /// It changes such a table, or what belongs to one.
  private(set) var changesSourceSchema = false

  /// Notes an action, as SQLite describes it to an authorizer.
  mutating func note(_ action: StatementAction, _ names: Set<String>) {
    if action.code == SQLITE_ALTER_TABLE { altersTable = true }
    func isNamed(_ name: String?) -> Bool { name.map { names.contains($0.lowercased()) } ?? false }
    switch action.code {
    case SQLITE_TRANSACTION, SQLITE_SAVEPOINT: controlsTransaction = true
    case SQLITE_INSERT where isNamed(action.first):
      writesSource = true
      insertsIntoSource = true
    case SQLITE_UPDATE where isNamed(action.first), SQLITE_DELETE where isNamed(action.first):
      writesSource = true
    case SQLITE_DROP_VIEW where isNamed(action.first): changesSourceSchema = true
    // The first is the index or trigger, or the database.
    case SQLITE_CREATE_INDEX where isNamed(action.second),
      SQLITE_CREATE_TRIGGER where isNamed(action.second),
      SQLITE_CREATE_TEMP_TRIGGER where isNamed(action.second),
      SQLITE_DROP_INDEX where isNamed(action.second),
      SQLITE_ALTER_TABLE where isNamed(action.second):
      changesSourceSchema = true
    default: break
    }
  }
}
