// Why a call on a connection failed.

public import SluiceClient

public enum SQLFailure: Error, Equatable, Sendable {
  /// SQLite refused: its extended result code, its message (UTF-8), and the byte in the SQL where
  /// the error lies (-1 if it lies nowhere).
  case sqlite(code: Int32, message: [UInt8], offset: Int64)
  /// The engine refused before SQLite had the request.
  case refused(Status)
  /// A value, a text of SQL or an image is larger than the engine takes.
  case tooLarge
  /// There is no session with an engine.
  case notConnected(ConnectError)
  /// No engine answers any more, or no request could be sent.
  case call(CallError)
  /// The engine sent what is no page of rows. The connection is over.
  case malformed
  /// The connection was closed.
  case closed

  /// SQLite's result code that is nearest to it.
  public var code: Int32 {
    switch self {
    case .sqlite(let code, _, _): code
    case .refused(.limitReached), .refused(.busy): 5  // SQLITE_BUSY
    case .refused, .closed: 21  // SQLITE_MISUSE
    case .tooLarge: 18  // SQLITE_TOOBIG
    case .notConnected: 14  // SQLITE_CANTOPEN
    case .call, .malformed: 10  // SQLITE_IOERR
    }
  }

  /// The reason and, where there is one, the remedy, in words for the user (UTF-8).
  public var message: [UInt8] {
    switch self {
    case .sqlite(_, let message, _): message
    case .refused(.unknownOperation):
      utf8("this is a sidecar for files, not an engine for SQL; start one with 'sluice engine'")
    case .refused(.misuse): utf8("the connection has no open database")
    case .refused(.limitReached):
      utf8("too many statements with unread rows; read them to the end, or close them")
    case .refused(let status): utf8(status.text)
    case .tooLarge: utf8("a value is larger than the engine takes (64 MiB; SQL 1 MiB)")
    case .notConnected(.unreachable):
      utf8("no engine can be reached on the socket; start one with 'sluice engine'")
    case .notConnected(let error): utf8(error.text)
    case .call(.failed(.peerGone)), .call(.sessionLost):
      utf8("the engine is gone; what was not committed is rolled back; open a new connection")
    case .call(.failed(.timedOut)):
      utf8("the engine shows no sign of life; see whether it is stopped, and open a new connection")
    case .call(let error): utf8(error.text)
    case .malformed: utf8("the engine broke the protocol; use client and engine of one release")
    case .closed: utf8("the connection is closed")
    }
  }
}

@inline(never)
func utf8(_ text: StaticString) -> [UInt8] {
  unsafe Array(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
}
