// Who waits until the store has all of a value. A value without a lock.

struct SyncWaiter: Sendable {
  /// What the value in memory has now.
  let current: @Sendable () -> RecordKnownState
  /// True: the store has it, or the value was unmounted. False: the storage has ended.
  let done: @Sendable (Bool) -> Void
  fileprivate(set) var number: UInt64 = 0

  init(
    current: @escaping @Sendable () -> RecordKnownState, done: @escaping @Sendable (Bool) -> Void
  ) {
    self.current = current
    self.done = done
  }
}

struct WaitingList {
  private var waiters: [RecordID: [SyncWaiter]] = [:]
  private var last: UInt64 = 0

  /// Adds a waiter, and gives it with its number.
  mutating func add(_ waiter: SyncWaiter, for id: RecordID) -> SyncWaiter {
    last += 1
    var waiter = waiter
    waiter.number = last
    waiters[id, default: []].append(waiter)
    return waiter
  }

  func waiters(for id: RecordID) -> [SyncWaiter] { waiters[id] ?? [] }

  /// Whether it was still there. Who removes a waiter tells it.
  mutating func remove(_ waiter: SyncWaiter, for id: RecordID) -> Bool {
    guard let index = waiters[id]?.firstIndex(where: { $0.number == waiter.number }) else {
      return false
    }
    waiters[id]?.remove(at: index)
    if waiters[id]?.isEmpty == true { waiters[id] = nil }
    return true
  }

  mutating func removeAll(for id: RecordID) -> [SyncWaiter] {
    waiters.removeValue(forKey: id) ?? []
  }

  mutating func removeAll() -> [SyncWaiter] {
    defer { waiters = [:] }
    return waiters.values.flatMap { $0 }.sorted { $0.number < $1.number }
  }
}
