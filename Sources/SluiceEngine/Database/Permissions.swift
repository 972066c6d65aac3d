// Which actions of a statement a client may have compiled. SQLite asks before each action
// (sqlite3_set_authorizer); this is the answer, as a function of the action alone.
//
// A client works in one database. It gets no other file, loads no code, and changes no setting that
// other clients or the engine rely on. `sqlite3_stmt_readonly` is no help here: it is true for ATTACH
// and for many a PRAGMA.

internal import CEngine

/// An action, as SQLite describes it to an authorizer.
struct StatementAction {
  /// SQLITE_INSERT, SQLITE_PRAGMA …
  var code: Int32
  /// What the action is on; its meaning depends on the code.
  var first: String?
  var second: String?
}

enum Permissions {
  static func allows(_ action: StatementAction, isReadOnly: Bool) -> Bool {
    switch action.code {
    // VACUUM attaches a nameless temporary database. Every other ATTACH names a file.
    case SQLITE_ATTACH: action.first == ""
    case SQLITE_DETACH: action.first == "vacuum_db"
    case SQLITE_FUNCTION: !forbiddenFunctions.contains(action.second?.lowercased() ?? "")
    case SQLITE_PRAGMA:
      allowsPragma(
        action.first?.lowercased() ?? "", action.second?.lowercased(), isReadOnly: isReadOnly)
    case SQLITE_DROP_VTABLE: !ownModules.contains(action.second?.lowercased() ?? "")
    case SQLITE_CREATE_VTABLE:
      modules.contains(action.second?.lowercased() ?? "")
        && !functionTables.contains(action.first?.lowercased() ?? "")
    case SQLITE_CREATE_TABLE, SQLITE_CREATE_TEMP_TABLE, SQLITE_CREATE_VIEW,
      SQLITE_CREATE_TEMP_VIEW:
      !functionTables.contains(action.first?.lowercased() ?? "")
    default: true
    }
  }

  /// Functions that load code or take addresses.
  static let forbiddenFunctions: Set = ["load_extension", "fts3_tokenizer"]

  /// The modules of virtual tables that a client may create.
  static let modules: Set = ["fts3", "fts4", "fts5", "fts5vocab", "rtree", "rtree_i32"]

  /// The tables of SQLite that the engine's own statements read by a name alone.
  static let functionTables: Set = ["json_each", "json_tree"]

  /// Such a name that a statement has in it.
  static func functionTable(in text: [UInt8]) -> String? {
    let text = String(decoding: text, as: UTF8.self).lowercased()
    return functionTables.first { text.contains($0) }
  }

  /// The modules of the engine's own tables, which no client makes or drops.
  static let ownModules: Set = ["state", "state_view"]

  private static func allowsPragma(_ name: String, _ value: String?, isReadOnly: Bool) -> Bool {
    if name == "journal_mode", let value, !journalModes.contains(value) { return false }
    if questions.contains(name) { return true }
    if unsettable.contains(name) { return value == nil }
    if settings.contains(name) { return value == nil || !isReadOnly }
    if actions.contains(name) { return !isReadOnly }
    return false
  }

  /// They only tell something. Their value, if any, names what they tell of.
  static let questions: Set = [
    "collation_list", "compile_options", "data_version", "database_list", "foreign_key_check",
    "foreign_key_list", "freelist_count", "function_list", "index_info", "index_list",
    "index_xinfo", "integrity_check", "module_list", "page_count", "page_size", "pragma_list",
    "quick_check", "table_info", "table_list", "table_xinfo",
    // Settings of the connection alone.
    "analysis_limit", "automatic_index", "cache_size", "cache_spill",
    "case_sensitive_like", "defer_foreign_keys", "encoding", "foreign_keys",
    "ignore_check_constraints", "query_only", "recursive_triggers", "reverse_unordered_selects",
    "synchronous", "temp_store", "threads",
  ]

  /// They tell something without a value, and change the database with one.
  static let settings: Set = [
    "application_id", "auto_vacuum", "journal_mode", "journal_size_limit", "max_page_count",
    "secure_delete", "user_version", "wal_autocheckpoint",
  ]

  /// They tell something. With a value they could make others use a schema that is no longer there.
  static let unsettable: Set = ["schema_version"]

  /// The others lose the database if the engine dies in a transaction.
  static let journalModes: Set = ["delete", "persist", "truncate", "wal"]

  /// They change the database's files.
  static let actions: Set = ["incremental_vacuum", "optimize", "wal_checkpoint"]
}
