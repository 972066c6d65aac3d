// What SQLite said when it refused, or what the engine says in its place.

internal import CEngine

struct DatabaseError: Error {
  /// SQLite's extended result code.
  var code: Int32
  var message: String
  /// The byte in the SQL where the error lies; -1 if it lies nowhere.
  var offset: Int64 = -1

  init(_ code: Int32, _ message: String, offset: Int64 = -1) {
    self.code = code
    self.message = message
    self.offset = offset
  }

  /// The error of the last call on a connection.
  init(of connection: OpaquePointer?, _ code: Int32) {
    self.code = code
    if let connection = unsafe connection, unsafe sqlite3_errcode(connection) & 0xff == code & 0xff
    {
      unsafe message = String(cString: sqlite3_errmsg(connection))
      unsafe offset = Int64(sqlite3_error_offset(connection))
    } else {
      unsafe message = String(cString: sqlite3_errstr(code))
    }
  }
}
