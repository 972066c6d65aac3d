// Makes the VFS `sluice` known to this process's SQLite, so that an engine has no files of its own.

internal import CEngine
internal import CSQLite
internal import SluiceSystem
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

  /// Makes the session with the file sidecar of a place, which this process keeps to, whatever rights
  /// it gives up later. Throws if none answers.
  static func reach(_ place: DatabasePlace) throws(DatabaseError) {
    // To ask for a file that is not there makes a session, and nothing else.
    let uri = try place.uri(of: Array("sluice-engine-looks-for-its-files".utf8)).map {
      CChar(bitPattern: $0)
    }
    var handle: OpaquePointer?
    let flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI
    let code = unsafe sqlite3_open_v2(uri + [0], &handle, flags, place.vfs)
    let error = unsafe DatabaseError(of: handle, code)
    unsafe sqlite3_close_v2(handle)
    guard code & 0xff == SQLITE_OK || code & 0xff == SQLITE_CANTOPEN else { throw error }
    Standing.keep()
  }
}
