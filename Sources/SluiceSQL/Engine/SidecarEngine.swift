// An engine in another process: the one of `sluice engine` on a socket, or this program's own.

public import SluiceClient

public enum SidecarEngine {
  /// Opens a database of the engine that listens on a socket. Paths are relative to the engine's
  /// root; ":memory:" is a database in the engine's memory.
  ///
  /// - Parameters:
  ///   - seed: the image (see `export`) with which a new database begins.
  ///   - busyTimeout: how long statements wait for the locks of others.
  public static func open(
    _ path: String, onSocket socket: String, mode: SQLOpenMode = .open,
    options: SQLOpenOptions = [], seed: [UInt8]? = nil, busyTimeout: Duration = .seconds(5)
  ) async throws(SQLError) -> SQLDatabase {
    let opening = SQLOpening(
      path: path, mode: mode, options: options, seed: seed, busyTimeout: busyTimeout)
    return try await opening.start { () throws(SQLFailure) in
      guard !socket.utf8.contains(0) else { throw .call(.failed(.peerGone)) }
      do throws(ConnectError) {
        return try RingSession.connect(toSocket: Array(socket.utf8CString))
      } catch {
        throw .notConnected(error)
      }
    }
  }
}

extension Duration {
  /// Whole milliseconds, from none to those of an hour.
  var milliseconds: Int64 {
    let (seconds, attoseconds) = components
    if seconds >= 3600 { return 3_600_000 }
    return max(0, seconds * 1000 + attoseconds / 1_000_000_000_000_000)
  }
}

/// What an engine is asked for when it is opened.
package struct SQLOpening: Sendable {
  package var path: String
  package var mode = SQLOpenMode.open
  package var options: SQLOpenOptions = []
  package var seed: [UInt8]?
  package var busyTimeout = Duration.seconds(5)

  package init(
    path: String, mode: SQLOpenMode, options: SQLOpenOptions, seed: [UInt8]?, busyTimeout: Duration
  ) {
    self.path = path
    self.mode = mode
    self.options = options
    self.seed = seed
    self.busyTimeout = busyTimeout
  }

  /// Starts an engine's thread, which connects and opens.
  package func start(
    chores: (any EngineChores)? = nil,
    _ connect: @escaping @Sendable () throws(SQLFailure) -> RingSession
  ) async throws(SQLError) -> SQLDatabase {
    let milliseconds = busyTimeout.milliseconds
    let core = try await EngineCore.start(chores: chores) {
      [path, mode, options, seed] () throws(SQLFailure) in
      try SQLConnection(
        try connect(), path: Array(path.utf8), mode: mode, options: options,
        busyMilliseconds: milliseconds, seed: seed)
    }
    let version = try await core.perform { (place) throws(SQLError) in
      place.connection.sqliteVersion
    }
    return SQLDatabase(core, sqliteVersion: version)
  }
}
