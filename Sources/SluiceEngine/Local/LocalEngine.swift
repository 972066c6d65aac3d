// An engine that runs SQLite in this process, on SQLite's own files. For programs that want the calls
// of an engine, but no other process.

internal import SluiceClient
public import SluiceSQL
public import SluiceWire

public enum LocalEngine {
  /// Opens the database in the file `path`.
  ///
  /// - Parameters:
  ///   - seed: the image (see `export`) with which a new database begins.
  ///   - busyTimeout: how long statements wait for the locks of others.
  public static func open(
    _ path: String, mode: SQLOpenMode = .open, options: SQLOpenOptions = [], seed: [UInt8]? = nil,
    busyTimeout: Duration = .seconds(5)
  ) async throws(SQLError) -> SQLDatabase {
    let opening = SQLOpening(
      path: path, mode: mode, options: options, seed: seed, busyTimeout: busyTimeout)
    return try await opening.start { () throws(SQLFailure) in try connectLocally() }
  }
}

/// Connects to a thread of this process that runs SQLite.
func connectLocally() throws(SQLFailure) -> RingSession {
  do throws(ConnectError) { return try LocalChannel.connect(at: .host) } catch {
    throw .notConnected(error)
  }
}
