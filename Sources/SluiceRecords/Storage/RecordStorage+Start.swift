// The start of a storage: its thread connects, opens the store, and serves it to its end.

internal import SluiceClient
internal import SluiceSystem

extension RecordStorage {
  /// Starts a storage's thread. `opened` is called once: in that thread, or at once if there is none.
  package static func start(
    path: [UInt8], _ options: RecordOpenOptions, _ log: @escaping RecordLog,
    connect: @escaping @Sendable () throws(RecordFailure) -> RingSession,
    opened: @escaping @Sendable (Result<RecordStorage, RecordFailure>) -> Void
  ) {
    do throws(Errno) {
      try Thread("sluice-records") { run(path, options, log, connect, opened) }.detach()
    } catch {
      opened(.failure(.notConnected(.system(error))))
    }
  }

  private static func run(
    _ path: [UInt8], _ options: RecordOpenOptions, _ log: @escaping RecordLog,
    _ connect: @escaping @Sendable () throws(RecordFailure) -> RingSession,
    _ opened: (Result<RecordStorage, RecordFailure>) -> Void
  ) {
    let inbox = StorageInbox()
    let known = KnownStates()
    let deletions = ValidDeletions()
    func open(_ options: RecordOpenOptions) throws(RecordFailure) -> RecordConnection {
      try RecordConnection(try connect(), path: path, options: options)
    }
    let connection: RecordConnection
    do throws(RecordFailure) { connection = try open(options) } catch {
      return opened(.failure(error))
    }
    // The thread must not keep the storage, whose end ends it.
    opened(.success(RecordStorage(connection, inbox, known, deletions)))
    StorageThread(connection, inbox, known, deletions, log) { () throws(RecordFailure) in
      // A store in memory has died with its engine.
      guard path != Array(":memory:".utf8) else { throw .closed }
      var options = options
      options.mode = .open
      return try open(options)
    }.run()
  }
}
