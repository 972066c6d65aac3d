// Which peers do not have which values, and the locks of the reconciliation with peers.

extension RecordStore {
  /// Notes whether a peer has a value. The value need not be there.
  func track(_ id: [UInt8], peer: [UInt8], isSynced: Bool) throws(DatabaseError) {
    let key = RecordKeys.peer(id, peer)
    if isSynced { try base.delete(.unsynced, key) } else { try base.put(.unsynced, key, []) }
  }

  /// Forgets the peers of exactly this value.
  func stopTracking(_ id: [UInt8]) throws(DatabaseError) {
    try base.delete(.unsynced, KeyRange(prefix: id + [0]))
  }

  /// Calls `body` with the ids, each once, that some peer does not have, behind the id `last`,
  /// until it gives false.
  func unsynced(behind last: [UInt8], _ body: ([UInt8]) -> Bool) throws(DatabaseError) {
    // All keys of an id begin with the id and a zero byte.
    var start = last.isEmpty ? [] : last + [1]
    var goesOn = true
    while goesOn {
      var id: [UInt8]?
      try unsafe base.scan(.unsynced, KeyRange(from: start, to: nil)) { (key, _) in
        id = unsafe Array(key.prefix { $0 != 0 })
        return false
      }
      guard let id else { return }
      goesOn = body(id)
      start = id + [1]
    }
  }

  func reconciliationLock(_ peer: [UInt8]) throws(DatabaseError) -> ReconciliationLock? {
    guard let value = try base.get(.meta, RecordKeys.lock(peer)) else { return nil }
    return try ReconciliationLock(value)
  }

  func put(_ lock: ReconciliationLock, of peer: [UInt8]) throws(DatabaseError) {
    try base.put(.meta, RecordKeys.lock(peer), lock.bytes)
  }
}
