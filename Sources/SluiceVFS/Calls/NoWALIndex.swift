// A database can have no WAL index if its users may be on several hosts, because the index is
// memory that all users share. The table of methods then has no xShmMap, and SQLite follows from
// that: `PRAGMA journal_mode=WAL` is refused and the old mode stays, and a database in WAL mode
// cannot be opened (SQLITE_CANTOPEN). With `PRAGMA locking_mode=EXCLUSIVE` SQLite needs no index.
// It then holds an exclusive lock on the file as long as the database is open.
//
// SQLite does not report the reason. The log and sqlite3_system_errno do.

internal import CSQLite
internal import CSluice
internal import SluiceClient
internal import SluiceWire

extension OpenFile {
  var canHaveWALIndex: Bool { kind != .mainDatabase || remote.isLocal }

  /// Logs the reason if a database in WAL mode is being opened and can have no index.
  func explainMissingWALIndex() {
    guard !canHaveWALIndex, (try? remote.readsAsWALMode()) ?? false else { return }
    _ = report(.noWALIndex, .open, path)
  }

  /// SQLite is about to run this pragma. Logs the reason if it will refuse WAL mode.
  func notePragma(name: UnsafePointer<CChar>?, value: UnsafePointer<CChar>?) {
    guard !canHaveWALIndex, let name = unsafe name, let value = unsafe value,
      unsafe strcasecmp(name, Self.text("journal_mode")) == 0,
      unsafe strcasecmp(value, Self.text("wal")) == 0
    else { return }
    _ = report(.noWALIndex, .journalMode, path)
  }

  private static func text(_ text: StaticString) -> UnsafePointer<CChar> {
    unsafe UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
  }
}
