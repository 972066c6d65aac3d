// The calls of a storage that wait for an answer, for tasks. They end when the answer is there or the
// engine is gone; the cancellation of a task does not end them.

public import SluiceWire

extension RecordStorage {
  /// Returns whether all of the message is stored.
  @discardableResult
  public func store(
    _ message: RecordMessage,
    correction: @escaping @Sendable (RecordKnownState) -> [RecordMessage]? = { _ in nil }
  ) async -> Bool {
    await answer { store(message, correction: correction, done: $0) }
  }

  /// Returns whether the value was loaded to its end.
  public func load(
    _ id: RecordID, message: @escaping @Sendable (RecordMessage) -> Void
  ) async -> Bool {
    await answer { load(id, message: message, done: $0) }
  }

  public func loadKnownState(of id: RecordID) async -> RecordKnownState? {
    await answer { loadKnownState(of: id, done: $0) }
  }

  /// Returns whether the store has the value; false when the storage has ended.
  @discardableResult
  public func waitForSync(
    _ id: RecordID, current: @escaping @Sendable () -> RecordKnownState
  ) async -> Bool {
    await answer { waitForSync(id, current: current, done: $0) }
  }

  @discardableResult
  public func eraseDeletedValues() async -> Bool {
    await answer { eraseDeletedValues(done: $0) }
  }

  @discardableResult
  public func trackSyncState(_ updates: [RecordSyncUpdate]) async -> Bool {
    await answer { trackSyncState(updates, done: $0) }
  }

  public func unsyncedIDs() async -> [RecordID]? { await answer { unsyncedIDs(done: $0) } }

  public func ids(limit: UInt64, offset: UInt64) async -> [RecordID]? {
    await answer { ids(limit: limit, offset: offset, done: $0) }
  }

  public func count() async -> UInt64? { await answer { count(done: $0) } }

  public func acquireReconciliationLock(
    of peer: RecordID, holder: RecordID
  ) async -> RecordLockAnswer? {
    await answer { acquireReconciliationLock(of: peer, holder: holder, done: $0) }
  }

  public func renewReconciliationLock(
    of peer: RecordID, holder: RecordID, offset: UInt64
  ) async -> RecordLockAnswer? {
    await answer { renewReconciliationLock(of: peer, holder: holder, offset: offset, done: $0) }
  }

  public func releaseReconciliationLock(
    of peer: RecordID, holder: RecordID
  ) async -> RecordLockAnswer? {
    await answer { releaseReconciliationLock(of: peer, holder: holder, done: $0) }
  }

  public func close() async {
    await withCheckedContinuation { continuation in close { continuation.resume() } }
  }

  private func answer<R: Sendable>(
    _ call: (@escaping @Sendable (R) -> Void) -> Void
  ) async -> R {
    await withCheckedContinuation { continuation in call { continuation.resume(returning: $0) } }
  }
}
