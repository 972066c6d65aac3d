// A database whose users may be on several hosts can have no WAL index, for that is memory which they
// share. SQLite learns it from the table of methods, which has no xShmMap: `PRAGMA journal_mode=WAL` is
// refused and the old mode stays, and a database that is in WAL mode cannot be opened (SQLITE_CANTOPEN).
// With `PRAGMA locking_mode=EXCLUSIVE` SQLite needs no index, and holds an exclusive lock on the file
// for as long as the database is open.
//
// SQLite says nothing of why. The log does, and sqlite3_system_errno.

internal import CSQLite
internal import CSluice
internal import SluiceClient
internal import SluiceWire

extension OpenFile {
  var canHaveWALIndex: Bool { kind != .mainDatabase || remote.isLocal }

  /// A database that is in WAL mode is being opened where it can have no index.
  func explainMissingWALIndex() {
    guard !canHaveWALIndex, (try? remote.readsAsWALMode()) ?? false else { return }
    _ = report(.noWALIndex, .open, path)
  }

  /// SQLite is about to carry out this pragma.
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
