// A record store that is open in this engine: one connection that writes, for all its clients.
//
// Threads: any.

internal import CEngine
internal import SluiceSystem
internal import SluiceWire

final class RecordHub: Sendable {
  let path: [UInt8]
  let turn: WriteTurn<RecordStore>
  /// Whether other connections can read what is written here.
  let isShared: Bool
  let values = HeldValues()
  private let place: DatabasePlace
  private let clients = FutexLock(Clients())
  nonisolated(unsafe) private let base: SQLiteStore

  private struct Clients {
    var count = 0
    var fullCount = 0
  }

  init(
    path: [UInt8], at place: DatabasePlace, mode: SQLOpenMode, busyMilliseconds: Int64
  ) throws(DatabaseError) {
    self.path = path
    self.place = place
    isShared = path != Connection.memoryPath
    unsafe base = try SQLiteStore(
      path: path, at: place, mode: mode, busyMilliseconds: busyMilliseconds)
    turn = WriteTurn(RecordStore(unsafe base, caches: true))
  }

  /// A connection of one's own that reads; nil if the store has none beside.
  func makeReader(busyMilliseconds: Int64) throws(DatabaseError) -> RecordStore? {
    guard isShared else { return nil }
    return RecordStore(
      try SQLiteStore(
        path: path, at: place, mode: .open, isReader: true, busyMilliseconds: busyMilliseconds),
      caches: false)
  }

  /// A client comes that wants this durability. All get the strongest.
  func enter(_ durability: RecordDurability) { change(durability, by: 1) }

  /// Whether this was the last client.
  func leave(_ durability: RecordDurability) -> Bool {
    change(durability, by: -1)
    return clients.withLock { $0.count == 0 }
  }

  private func change(_ durability: RecordDurability, by difference: Int) {
    clients.withLock { clients in
      clients.count += difference
      if durability == .full { clients.fullCount += difference }
      unsafe base.want(clients.fullCount > 0 ? .full : .normal)
    }
  }

  // MARK: Import

  /// Takes the turn for a transaction over several requests of one client.
  func beginImport(unless isDue: () -> Bool) throws(DatabaseError) -> RecordStore {
    let store = try turn.take(unless: isDue)
    do throws(DatabaseError) { try unsafe base.beginLong() } catch {
      turn.giveBack()
      throw error
    }
    // Another engine may have changed the store before.
    store.forget()
    return store
  }

  func endImport(_ store: RecordStore, commits: Bool) throws(DatabaseError) {
    defer { turn.giveBack() }
    if !commits { store.forget() }
    try unsafe base.endLong(commits: commits)
  }
}

/// The stores that are open in this engine, by their paths. Two paths of one file make two hubs,
/// which see each other's changes as those of two engines.
final class RecordHubs: Sendable {
  private let place: DatabasePlace
  private let hubs = FutexLock<[[UInt8]: RecordHub]>([:])

  init(at place: DatabasePlace) { self.place = place }

  func open(_ request: RecordsOpenRequest) throws(DatabaseError) -> RecordHub {
    try hubs.withLock { (hubs) throws(DatabaseError) in
      if let hub = hubs[request.path] {
        if request.mode == .create {
          throw DatabaseError(SQLITE_CANTOPEN, "the store exists already")
        }
        hub.enter(request.durability)
        return hub
      }
      let hub = try RecordHub(
        path: request.path, at: place, mode: request.mode,
        busyMilliseconds: request.busyMilliseconds)
      hub.enter(request.durability)
      // A store in memory is its client's own.
      if hub.isShared { hubs[request.path] = hub }
      return hub
    }
  }

  func close(_ hub: RecordHub, _ durability: RecordDurability) {
    hubs.withLock { hubs in
      if hub.leave(durability), hubs[hub.path] === hub { hubs[hub.path] = nil }
    }
  }
}
