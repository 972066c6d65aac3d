// A record store of an engine in another process. `LocalRecords` in SluiceEngine has one of this
// process.

internal import SluiceClient

public enum SidecarRecords {
  /// Opens a store of the engine that listens on a socket. Paths are relative to the engine's root;
  /// ":memory:" is a store in the engine's memory.
  public static func open(
    _ path: String, onSocket socket: String, options: RecordOpenOptions = RecordOpenOptions(),
    log: @escaping RecordLog = { (_, _) in }
  ) async throws(RecordFailure) -> RecordStorage {
    try await RecordStorage.start(path, options, log) { () throws(RecordFailure) in
      guard !socket.utf8.contains(0) else { throw .notConnected(.unreachable(.invalid)) }
      do throws(ConnectError) {
        return try RingSession.connect(toSocket: Array(socket.utf8CString))
      } catch {
        throw .notConnected(error)
      }
    }
  }
}

extension RecordStorage {
  /// Starts a storage's thread, which connects and opens.
  package static func start(
    _ path: String, _ options: RecordOpenOptions, _ log: @escaping RecordLog,
    _ connect: @escaping @Sendable () throws(RecordFailure) -> RingSession
  ) async throws(RecordFailure) -> RecordStorage {
    let result = await withCheckedContinuation { continuation in
      start(path: Array(path.utf8), options, log, connect: connect) {
        continuation.resume(returning: $0)
      }
    }
    return try result.get()
  }
}
