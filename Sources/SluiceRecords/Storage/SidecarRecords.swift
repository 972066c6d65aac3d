// A record store of an engine in another process. `LocalRecords` in SluiceEngine has one of this
// process.

internal import SluiceClient
internal import SluiceSystem

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
      do throws(Errno) {
        try Thread("sluice-records") {
          run(path, options, log, connect) { continuation.resume(returning: $0) }
        }.detach()
      } catch {
        continuation.resume(returning: .failure(.notConnected(.system(error))))
      }
    }
    return try result.get()
  }

  private static func run(
    _ path: String, _ options: RecordOpenOptions, _ log: @escaping RecordLog,
    _ connect: @escaping @Sendable () throws(RecordFailure) -> RingSession,
    _ opened: (Result<RecordStorage, RecordFailure>) -> Void
  ) {
    let inbox = StorageInbox()
    let known = KnownStates()
    let deletions = ValidDeletions()
    func open(_ options: RecordOpenOptions) throws(RecordFailure) -> RecordConnection {
      try RecordConnection(try connect(), path: Array(path.utf8), options: options)
    }
    let connection: RecordConnection
    do throws(RecordFailure) { connection = try open(options) } catch {
      return opened(.failure(error))
    }
    // The thread must not keep the storage, whose end ends it.
    opened(.success(RecordStorage(connection, inbox, known, deletions)))
    StorageThread(connection, inbox, known, deletions, log) { () throws(RecordFailure) in
      // A store in memory has died with its engine.
      guard path != ":memory:" else { throw .closed }
      var options = options
      options.mode = .open
      return try open(options)
    }.run()
  }
}
