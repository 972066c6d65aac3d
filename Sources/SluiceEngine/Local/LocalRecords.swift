// A record store in this process, on SQLite's own files or in memory. For programs that want the calls
// of a storage, but no other process.

internal import SluiceClient
public import SluiceRecords

public enum LocalRecords {
  /// All stores of this process, so that two of one file are one.
  private static let offer = EngineOffer(at: .host, services: .records)

  /// Opens the store in the file `path`; ":memory:" is one of its own in memory.
  public static func open(
    _ path: String, options: RecordOpenOptions = RecordOpenOptions(),
    log: @escaping RecordLog = { (_, _) in }
  ) async throws(RecordFailure) -> RecordStorage {
    try await open(path, on: offer, options: options, log: log)
  }

  static func open(
    _ path: String, on offer: EngineOffer, options: RecordOpenOptions,
    log: @escaping RecordLog
  ) async throws(RecordFailure) -> RecordStorage {
    try await RecordStorage.start(path, options, log) { () throws(RecordFailure) in
      do throws(ConnectError) { return try LocalChannel.connect(to: offer) } catch {
        throw .notConnected(error)
      }
    }
  }
}
