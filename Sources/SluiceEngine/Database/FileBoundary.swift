// Makes the VFS `sluice` known to this process's SQLite, so that an engine has no files of its own.

internal import CEngine
internal import CSQLite
internal import SluiceVFS

package enum FileBoundary {
  /// Registers the VFS, for good. To be called before other threads use SQLite.
  static func register() throws(DatabaseError) {
    let code = unsafe cengine_register { (connection, message, functions) in
      unsafe sqlite3SluiceInit(
        connection, message, functions?.assumingMemoryBound(to: sqlite3_api_routines.self))
    }
    guard code == SQLITE_OK else {
      throw DatabaseError(code, "the file boundary cannot be registered with SQLite")
    }
  }
}
