// What a client may have compiled, action by action.

import CEngine
import Testing

@testable import SluiceEngine

@Suite struct PermissionsTests {
  private func allows(
    _ code: Int32, _ first: String? = nil, _ second: String? = nil, isReadOnly: Bool = false
  ) -> Bool {
    Permissions.allows(
      StatementAction(code: code, first: first, second: second), isReadOnly: isReadOnly)
  }

  @Test func actionsAreAllowedAsTheTableSays() {
    let table: [(code: Int32, first: String?, second: String?, allowed: Bool)] = [
      (SQLITE_CREATE_TABLE, "t", nil, true),
      (SQLITE_DROP_TABLE, "t", nil, true),
      (SQLITE_CREATE_TEMP_VIEW, "v", nil, true),
      (SQLITE_TRANSACTION, "BEGIN", nil, true),
      (SQLITE_SAVEPOINT, "BEGIN", "s", true),
      (SQLITE_REINDEX, "i", nil, true),
      (SQLITE_RECURSIVE, nil, nil, true),
      (SQLITE_ATTACH, "", nil, true),
      (SQLITE_ATTACH, "other.db", nil, false),
      (SQLITE_ATTACH, ":memory:", nil, false),
      (SQLITE_ATTACH, "file:x?vfs=unix", nil, false),
      (SQLITE_ATTACH, nil, nil, false),
      (SQLITE_DETACH, "vacuum_db", nil, true),
      (SQLITE_DETACH, "main", nil, false),
      (SQLITE_FUNCTION, nil, "abs", true),
      (SQLITE_FUNCTION, nil, "load_extension", false),
      (SQLITE_FUNCTION, nil, "LOAD_EXTENSION", false),
      (SQLITE_FUNCTION, nil, "fts3_tokenizer", false),
      (SQLITE_CREATE_VTABLE, "t", "fts5", true),
      (SQLITE_CREATE_VTABLE, "t", "RTree", true),
      (SQLITE_CREATE_VTABLE, "t", "csv", false),
      (SQLITE_CREATE_VTABLE, "t", "dbstat", false),
      (SQLITE_CREATE_VTABLE, "t", nil, false),
      (SQLITE_PRAGMA, "table_info", "t", true),
      (SQLITE_PRAGMA, "TABLE_INFO", "t", true),
      (SQLITE_PRAGMA, "user_version", "7", true),
      (SQLITE_PRAGMA, "journal_mode", nil, true),
      (SQLITE_PRAGMA, "journal_mode", "WAL", true),
      (SQLITE_PRAGMA, "journal_mode", "delete", true),
      (SQLITE_PRAGMA, "journal_mode", "off", false),
      (SQLITE_PRAGMA, "journal_mode", "memory", false),
      (SQLITE_PRAGMA, "schema_version", nil, true),
      (SQLITE_PRAGMA, "schema_version", "3", false),
      (SQLITE_PRAGMA, "locking_mode", "exclusive", false),
      (SQLITE_PRAGMA, "writable_schema", "1", false),
      (SQLITE_PRAGMA, "busy_timeout", "0", false),
      (SQLITE_PRAGMA, "mmap_size", "1", false),
      (SQLITE_PRAGMA, "hard_heap_limit", "1", false),
      (SQLITE_PRAGMA, "temp_store_directory", "/", false),
      (SQLITE_PRAGMA, "trusted_schema", "1", false),
      (SQLITE_PRAGMA, "read_uncommitted", "1", false),
      (SQLITE_PRAGMA, "no_such_pragma", nil, false),
      (SQLITE_PRAGMA, nil, nil, false),
    ]
    for row in table {
      #expect(allows(row.code, row.first, row.second) == row.allowed, "\(row)")
    }
  }

  @Test func aReadOnlyConnectionSetsNothing() {
    for name in Permissions.settings {
      #expect(allows(SQLITE_PRAGMA, name, isReadOnly: true), "\(name)")
      #expect(!allows(SQLITE_PRAGMA, name, "wal", isReadOnly: true), "\(name)")
    }
    for name in Permissions.actions {
      #expect(!allows(SQLITE_PRAGMA, name, isReadOnly: true), "\(name)")
      #expect(allows(SQLITE_PRAGMA, name), "\(name)")
    }
    #expect(allows(SQLITE_PRAGMA, "table_info", "t", isReadOnly: true))
  }

  @Test func noSQLReachesAnotherFileOrAForbiddenSetting() throws {
    let raw = try RawSQLSession()
    _ = try raw.execute("CREATE TABLE t(a)")
    for sql in [
      "ATTACH '/tmp/x' AS x", "ATTACH ('/tmp/' || 'x') AS x", "ATTACH NULL AS x",
      "ATTACH 'file:/tmp/x?mode=rwc' AS x", "VACUUM INTO '/tmp/x'", "VACUUM INTO 'file:x'",
      "SELECT load_extension('x')", "SELECT fts3_tokenizer('simple')",
      "PRAGMA journal_mode = OFF", "PRAGMA journal_mode(memory)",
      "PRAGMA main.journal_mode = 'Off'",
      "PRAGMA writable_schema = 1", "PRAGMA locking_mode = EXCLUSIVE", "PRAGMA schema_version = 9",
      "PRAGMA temp_store_directory = '/tmp'", "PRAGMA data_store_directory = '/tmp'",
      "CREATE VIRTUAL TABLE v USING csv(filename='/etc/passwd')", "DETACH main",
      "SELECT * FROM pragma_journal_mode('off')", "SELECT * FROM pragma_writable_schema(1)",
      "EXPLAIN ATTACH '/tmp/x' AS x", "CREATE VIEW v AS SELECT load_extension('x')",
    ] {
      let answer = try raw.execute(sql)
      if answer.status == .done, sql.hasPrefix("CREATE VIEW") {
        #expect(try raw.execute("SELECT * FROM v").status == .sqlError, "\(sql)")
        continue
      }
      #expect(answer.status == .sqlError, "\(sql)")
    }
    #expect(try raw.execute("UPDATE sqlite_schema SET sql = ''").status == .sqlError)
    #expect(try raw.execute("VACUUM").status == .done)
  }
}
