// What a storage knows of the store without asking: what it has stored and loaded itself. And who
// waits for more.
//
// Threads: any. No lock is held while a program's code runs.

internal import SluiceSystem
internal import SluiceWire

final class KnownStates: Sendable {
  private struct Contents {
    var states: [RecordID: RecordKnownState] = [:]
    var waiting = WaitingList()
    var isClosed = false
  }

  private let contents = FutexLock(Contents())

  func state(of id: RecordID) -> RecordKnownState {
    contents.withLock { $0.states[id] } ?? RecordKnownState(id)
  }

  // MARK: What was stored and loaded

  /// A store has told how much there is now of the message's sessions. A session that is not in the
  /// store, and of which nothing was missing, has 0 transactions.
  func noteStore(of message: RecordMessage, _ counts: [UInt64?]) {
    let id = RecordID(message.id)
    contents.withLock { contents in
      guard !contents.isClosed else { return }
      var state = contents.states.removeValue(forKey: id) ?? RecordKnownState(id)
      state.hasHeader = true
      for (session, count) in zip(message.sessions, counts) {
        if let count = count ?? (session.after == 0 ? 0 : nil) {
          state[RecordID(session.session)] = count
        }
      }
      contents.states[id] = state
    }
  }

  /// The store has nothing of the value.
  func noteAbsence(of id: RecordID) {
    contents.withLock { contents in
      if !contents.isClosed { contents.states[id] = RecordKnownState(id) }
    }
  }

  /// A load has read so much. A store may have added to it meanwhile.
  func noteLoad(_ loaded: RecordKnownState) {
    contents.withLock { contents in
      if !contents.isClosed {
        contents.states[loaded.id, default: RecordKnownState(loaded.id)].merge(loaded)
      }
    }
  }

  /// The store was asked for all that it has; nil for nothing. What it has not, was erased, and is not
  /// known any more. Several pages of an answer were not read at one time, so a store between them
  /// may have been noted; `isOfOneTime` is false then, and the counts stay.
  func noteAnswer(_ state: RecordKnownState?, of id: RecordID, isOfOneTime: Bool) {
    contents.withLock { contents in
      guard !contents.isClosed, let known = contents.states[id] else { return }
      let stored = state ?? RecordKnownState(id)
      contents.states[id] = isOfOneTime ? stored : known.limited(to: stored)
    }
  }

  // MARK: Waiting

  func wait(_ waiter: SyncWaiter, for id: RecordID) {
    let added = contents.withLock { contents in
      contents.isClosed ? nil : contents.waiting.add(waiter, for: id)
    }
    guard let added else { return waiter.done(false) }
    look(at: added, of: id)
  }

  /// What the store or the program has of the value has changed.
  func changed(_ id: RecordID) {
    for waiter in contents.withLock({ $0.waiting.waiters(for: id) }) { look(at: waiter, of: id) }
  }

  private func look(at waiter: SyncWaiter, of id: RecordID) {
    guard waiter.current().isInSync(with: state(of: id)) else { return }
    if contents.withLock({ $0.waiting.remove(waiter, for: id) }) { waiter.done(true) }
  }

  // MARK: Forgetting

  /// The value is in memory no more: nobody has to wait for it.
  func drop(_ id: RecordID) {
    let waiters = contents.withLock { contents in
      contents.states[id] = nil
      return contents.waiting.removeAll(for: id)
    }
    for waiter in waiters { waiter.done(true) }
  }

  /// Forgets all, and learns nothing more.
  func close() {
    let waiters = contents.withLock { contents in
      contents.isClosed = true
      contents.states = [:]
      return contents.waiting.removeAll()
    }
    for waiter in waiters { waiter.done(false) }
  }

  /// Nothing more will be stored. What is known stays.
  func giveUpWaiting() {
    for waiter in contents.withLock({ $0.waiting.removeAll() }) { waiter.done(false) }
  }
}
