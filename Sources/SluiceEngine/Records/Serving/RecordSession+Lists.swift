// The requests of a session that go over many values: which peers have them, all ids, and the check
// of the store.

internal import CEngine
internal import SluiceChannel
internal import SluiceWire

extension RecordSession {
  // MARK: Peers

  func track(
    _ payload: UnsafeMutableRawBufferPointer
  ) throws(ProtocolViolation) -> RecordOutcome {
    guard let open else { return RecordOutcome(status: .misuse) }
    let bytes = unsafe Array(payload)
    let updates = try unsafe withBytes(of: bytes) { (bytes) throws(ProtocolViolation) in
      try unsafe trackUpdates(in: bytes)
    }
    for update in updates {
      if let flaw = RecordNames.flaw(of: update.id, "a value's id") {
        return unsafe refusal(DatabaseError(SQLITE_MISUSE, flaw), payload)
      }
    }
    do throws(DatabaseError) {
      try write(open) { (store) throws(DatabaseError) in
        for update in updates {
          try store.track(update.id, peer: update.peer, isSynced: update.isSynced)
        }
      }
      return RecordOutcome()
    } catch {
      return unsafe refusal(error, payload)
    }
  }

  private func trackUpdates(
    in bytes: UnsafeRawBufferPointer
  ) throws(ProtocolViolation) -> [(id: [UInt8], peer: [UInt8], isSynced: Bool)] {
    var reader = unsafe RecordByteReader(bytes)
    var updates: [(id: [UInt8], peer: [UInt8], isSynced: Bool)] = []
    do throws(WireError) {
      for _ in 0..<(try reader.count(ofItems: 9)) {
        let isSynced = try reader.number(UInt8.self)
        guard isSynced < 2 else { throw .outOfRange }
        unsafe updates.append(
          (Array(try reader.string()), Array(try reader.string()), isSynced == 1))
      }
    } catch {
      throw .arguments
    }
    return updates
  }

  func unsynced(
    _ request: RecordsPageRequest, _ payload: UnsafeMutableRawBufferPointer
  ) -> (RecordOutcome, RecordsPageReply) {
    unsafe withOpen(payload) { (open) throws(DatabaseError) in
      var page = unsafe RecordPage(payload, limit: request.limit)
      var hasMore = false
      try read(open) { (store) throws(DatabaseError) in
        try store.unsynced(behind: request.after) { id in
          hasMore = !page.add(id)
          return !hasMore
        }
      }
      return page.answer(hasMore: hasMore)
    }
  }

  func stopTracking(
    _ request: RecordIDRequest, _ payload: UnsafeMutableRawBufferPointer
  ) -> (RecordOutcome, RecordsNumberReply) {
    unsafe withOpen(payload) { (open) throws(DatabaseError) in
      try write(open) { (store) throws(DatabaseError) in try store.stopTracking(request.id) }
      return (RecordOutcome(), RecordsNumberReply())
    }
  }

  func lock(
    _ request: RecordsLockRequest, _ payload: UnsafeMutableRawBufferPointer
  ) -> (RecordOutcome, RecordsLockReply) {
    unsafe withOpen(payload) { (open) throws(DatabaseError) in
      var reply = RecordsLockReply(outcome: .notHolder)
      let now = clock.realtimeMilliseconds
      try write(open) { (store) throws(DatabaseError) in
        let present = try store.reconciliationLock(request.peer)
        let changed: ReconciliationLock?
        switch request.action {
        case .acquire:
          (reply, changed) = ReconciliationLock.acquire(present, request.holder, now: now)
        case .renew: changed = present?.renewed(by: request.holder, offset: request.offset)
        case .release: changed = present?.released(by: request.holder, now: now)
        }
        guard let changed else { return }
        if request.action != .acquire { reply = RecordsLockReply(outcome: .done) }
        try store.put(changed, of: request.peer)
      }
      return (RecordOutcome(), reply)
    }
  }

  // MARK: All values

  func ids(
    _ request: RecordsPageRequest, _ payload: UnsafeMutableRawBufferPointer
  ) -> (RecordOutcome, RecordsPageReply) {
    unsafe withOpen(payload) { (open) throws(DatabaseError) in
      var page = unsafe RecordPage(payload, limit: request.limit)
      var last = request.offset
      var hasMore = false
      try read(open) { (store) throws(DatabaseError) in
        try unsafe store.coValueIDs(behind: request.offset) { (row, id) in
          hasMore = unsafe !page.add(Array(id))
          if !hasMore { last = row }
          return !hasMore
        }
      }
      return page.answer(hasMore: hasMore, nextOffset: last)
    }
  }

  func count(
    _ payload: UnsafeMutableRawBufferPointer
  ) -> (RecordOutcome, RecordsNumberReply) {
    unsafe withOpen(payload) { (open) throws(DatabaseError) in
      let count = try read(open) { (store) throws(DatabaseError) in try store.coValueCount() }
      return (RecordOutcome(), RecordsNumberReply(number: count))
    }
  }

  func verify(
    _ request: RecordsPageRequest, _ payload: UnsafeMutableRawBufferPointer
  ) -> (RecordOutcome, RecordsPageReply) {
    unsafe withOpen(payload) { (open) throws(DatabaseError) in
      var page = unsafe RecordPage(payload)
      let next = try read(open) { (store) throws(DatabaseError) in
        try RecordVerification(store).check(behind: request.offset) { page.add($0) }
      }
      return page.answer(hasMore: next != nil, mayBeEmpty: true, nextOffset: next ?? 0)
    }
  }
}
