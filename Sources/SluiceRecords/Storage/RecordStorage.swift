// Storage of a program's replicated values, behind an engine. It has the calls of cojson's StorageAPI;
// each says which. RecordStorage+Async.swift has the same for tasks.
//
// Threads: calls come from any, and none waits. What a call asks for is sent in the order of the calls.
// Closures are called in the storage's own thread, one at a time; they may call the storage, and must
// not wait for it. Every `done` is called exactly once. When the engine dies, all that is under way
// fails: stores and loads with false, questions with nil. The next call opens the store again, on the
// engine that listens then; if none does, it fails, too.

public import SluiceWire

public final class RecordStorage: Sendable {
  /// When a store counts as done.
  public let durability: RecordDurability
  /// The version of the store's tables.
  public let schemaVersion: UInt64
  private let inbox: StorageInbox
  private let known: KnownStates
  private let deletions: ValidDeletions

  init(
    _ connection: RecordConnection, _ inbox: StorageInbox, _ known: KnownStates,
    _ deletions: ValidDeletions
  ) {
    durability = connection.durability
    schemaVersion = connection.schemaVersion
    self.inbox = inbox
    self.known = known
    self.deletions = deletions
  }

  /// What was asked for is still done.
  deinit { inbox.abandon() }

  // MARK: Messages

  /// Stores a message (`store`). Messages are stored in the order of the calls.
  ///
  /// - Parameters:
  ///   - correction: called when the store lacks the value's header or earlier transactions, with
  ///     what it has. It returns the messages that are to be stored instead, at once and in order; an
  ///     empty list if nothing is missing after all; nil if it has none. They are not corrected again.
  ///   - done: true when the message, corrections included, is stored as durably as `durability`
  ///     says. False if not all of it is, or if the storage was closed before its turn.
  public func store(
    _ message: RecordMessage,
    correction: @escaping @Sendable (RecordKnownState) -> [RecordMessage]?,
    done: @escaping @Sendable (Bool) -> Void
  ) {
    inbox.add(.store(QueuedStore(message: message, correction: correction, done: done)))
  }

  /// Loads a value (`load`), and before it all on which it depends and that is not in memory.
  ///
  /// - Parameters:
  ///   - message: called with each message, in order. While it runs, the engine waits.
  ///   - done: true after the value's last message; false if the value is not in the store, or could
  ///     not be read to its end.
  public func load(
    _ id: RecordID, message: @escaping @Sendable (RecordMessage) -> Void,
    done: @escaping @Sendable (Bool) -> Void
  ) {
    inbox.add(.load(QueuedLoad(id: id, message: message, done: done)))
  }

  // MARK: Known states

  /// What this storage has stored and loaded of a value so far (`getKnownState`). Does not ask the
  /// engine.
  public func knownState(of id: RecordID) -> RecordKnownState { known.state(of: id) }

  /// How much of a value is in the store (`loadKnownState`); nil if nothing is.
  public func loadKnownState(
    of id: RecordID, done: @escaping @Sendable (RecordKnownState?) -> Void
  ) {
    inbox.add(.knownState(id, done: done))
  }

  /// The program has dropped a value from its memory (`onCoValueUnmounted`). Nobody waits for it any
  /// more.
  public func unmount(_ id: RecordID) {
    known.drop(id)
    post(.unmount(id.bytes))
  }

  /// Waits until the store has exactly what a value in memory has (`waitForSync`).
  ///
  /// - Parameters:
  ///   - current: what the value has now; called from any thread. Call `noteChange` when it changes.
  ///   - done: true when it is so, or when the value was unmounted; false when the storage ends.
  public func waitForSync(
    _ id: RecordID, current: @escaping @Sendable () -> RecordKnownState,
    done: @escaping @Sendable (Bool) -> Void
  ) {
    known.wait(SyncWaiter(current: current, done: done), for: id)
  }

  /// A value in memory has changed, for which `waitForSync` may wait.
  public func noteChange(of id: RecordID) { known.changed(id) }

  // MARK: Deletion

  /// The program allows that a value is deleted (`markDeleteAsValid`): the next store of a delete
  /// session of it queues it for erasure.
  public func markDeleteAsValid(_ id: RecordID) {
    deletions.allow(id)
    post(.erase(.marked))
  }

  /// Lets the engine erase deleted values of its own accord (`enableDeletedCoValuesErasure`).
  public func enableErasure() {
    deletions.enableErasure()
    post(.erase(.enable))
  }

  /// Erases the deleted values that wait for it (`eraseAllDeletedCoValues`). A load or store ends it
  /// early; the rest waits for the next time.
  public func eraseDeletedValues(done: @escaping @Sendable (Bool) -> Void) {
    call(.erase(done: done))
  }

  // MARK: Sync state

  /// Notes which peers have which values (`trackCoValuesSyncState`). `done` is called with true when
  /// that is durable.
  public func trackSyncState(
    _ updates: [RecordSyncUpdate], done: @escaping @Sendable (Bool) -> Void
  ) {
    call(.track(updates[...], done: done))
  }

  /// The values that some peer does not have (`getUnsyncedCoValueIDs`), in the order of bytes.
  public func unsyncedIDs(done: @escaping @Sendable ([RecordID]?) -> Void) {
    call(.unsynced([], done: done))
  }

  /// Forgets which peers do not have exactly this value (`stopTrackingSyncState`).
  public func stopTrackingSyncState(of id: RecordID) { post(.stopTracking(id.bytes)) }

  // MARK: Lists

  /// The ids of values in the order of their creation (`getCoValueIDs`): those behind the first
  /// `offset`, at most `limit`.
  public func ids(
    limit: UInt64, offset: UInt64, done: @escaping @Sendable ([RecordID]?) -> Void
  ) {
    call(.ids(RecordIDList(limit: limit, offset: offset), done: done))
  }

  /// How many values there are (`getCoValueCount`).
  public func count(done: @escaping @Sendable (UInt64?) -> Void) { call(.count(done: done)) }

  // MARK: Reconciliation

  /// Takes the lock of the reconciliation with a peer (`tryAcquireStorageReconciliationLock`).
  public func acquireReconciliationLock(
    of peer: RecordID, holder: RecordID, done: @escaping @Sendable (RecordLockAnswer?) -> Void
  ) {
    lock(.acquire, peer, holder, 0, done)
  }

  /// Says how far the holder is (`renewStorageReconciliationLock`).
  public func renewReconciliationLock(
    of peer: RecordID, holder: RecordID, offset: UInt64,
    done: @escaping @Sendable (RecordLockAnswer?) -> Void
  ) {
    lock(.renew, peer, holder, offset, done)
  }

  /// The reconciliation is done (`releaseStorageReconciliationLock`).
  public func releaseReconciliationLock(
    of peer: RecordID, holder: RecordID, done: @escaping @Sendable (RecordLockAnswer?) -> Void
  ) {
    lock(.release, peer, holder, 0, done)
  }

  private func lock(
    _ action: RecordsLockAction, _ peer: RecordID, _ holder: RecordID, _ offset: UInt64,
    _ done: @escaping @Sendable (RecordLockAnswer?) -> Void
  ) {
    let request = RecordsLockRequest(
      action: action, peer: peer.bytes, holder: holder.bytes, offset: offset)
    call(.lock(request, done: done))
  }

  // MARK: The end

  /// Ends the storage (`close`): stores in progress finish, but are not corrected; stores that were
  /// not begun are dropped; all other calls finish. Then the store is closed, and `done` is called.
  /// Later calls fail. Who waits for a value learns that the storage has ended.
  public func close(done: @escaping @Sendable () -> Void) {
    known.close()
    inbox.close(done)
  }

  // MARK: Failures

  /// Why the last calls failed: the connection is lost. Nil while the engine answers, also when the next
  /// call has opened the store again.
  public var loss: RecordFailure? { inbox.loss }

  /// Takes the reason why a call failed, in its `done`; nil if the log alone tells it.
  package func takeFailure() -> RecordFailure? { inbox.takeFailure() }

  private func call(_ call: StorageCall) { inbox.add(.call(call)) }
  private func post(_ request: RecordRequest) { call(.post(request)) }
}
