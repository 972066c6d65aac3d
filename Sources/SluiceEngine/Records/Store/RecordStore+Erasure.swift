// Deleted values: the queue of those that have to be erased, and the erasure of one. Of an erased
// value its row and its delete sessions stay, so that everybody learns that it is deleted.

enum ErasureStatus {
  static let pending: [UInt8] = [0]
  static let done: [UInt8] = [1]
}

extension RecordStore {
  /// Queues a value for erasure. One that was erased before stays as it is.
  func queueForErasure(_ id: [UInt8]) throws(DatabaseError) {
    if try base.get(.deleted, id) == nil { try base.put(.deleted, id, ErasureStatus.pending) }
  }

  func isErased(_ id: [UInt8]) throws(DatabaseError) -> Bool {
    try base.get(.deleted, id) == ErasureStatus.done
  }

  /// The ids that wait for their erasure, behind `last`; at most `limit`.
  func waitingForErasure(behind last: [UInt8], limit: Int) throws(DatabaseError) -> [[UInt8]] {
    var found: [[UInt8]] = []
    // The zero byte makes the next key; ids have none.
    let range = KeyRange(from: last.isEmpty ? [] : last + [0], to: nil)
    try unsafe base.scan(.deleted, range) { (id, status) in
      if unsafe status.elementsEqual(ErasureStatus.pending) { unsafe found.append(Array(id)) }
      return found.count < limit
    }
    return found
  }

  /// How many ids wait for their erasure, behind `last`.
  func waitingForErasureCount(behind last: [UInt8]) throws(DatabaseError) -> UInt64 {
    var count: UInt64 = 0
    try unsafe base.scan(.deleted, KeyRange(from: last + [0], to: nil)) { (_, status) in
      if unsafe status.elementsEqual(ErasureStatus.pending) { count += 1 }
      return true
    }
    return count
  }

  /// What became of the erasure of a value.
  enum Erasure {
    case done
    /// No delete session is stored yet: without it, nobody would know that the value is deleted.
    case hasNoTombstone
  }

  /// Erases a value but its row and its delete sessions. A value that is not there counts as done.
  func erase(_ id: [UInt8]) throws(DatabaseError) -> Erasure {
    guard let row = try coValue(id)?.row else {
      try base.put(.deleted, id, ErasureStatus.done)
      return .done
    }
    let sessions = try sessions(of: row)
    guard sessions.contains(where: { RecordNames.isDeleteSession($0.id) }) else {
      return .hasNoTombstone
    }
    for session in sessions where !RecordNames.isDeleteSession(session.id) {
      let items = KeyRange(prefix: RecordKeys.number(session.stored.row))
      try base.delete(.transactions, items)
      try base.delete(.signatureAfter, items)
      try base.delete(.sessionByRow, RecordKeys.number(session.stored.row))
      try base.delete(.sessionByCoValue, RecordKeys.number(row) + session.id)
    }
    try base.put(.deleted, id, ErasureStatus.done)
    forget()
    return .done
  }
}
