// Changes that came before those on which they depend. They wait in order of arrival, within limits.

struct WaitingQueue: Sendable {
  /// By ticket: the order of arrival.
  private(set) var entries: [UInt64: Change] = [:]
  private var tickets: [ChangeHash: UInt64] = [:]
  /// By missing change: who waits for it.
  private var waiters: [ChangeHash: [UInt64]] = [:]
  private var missingCounts: [UInt64: Int] = [:]
  private(set) var nextTicket: UInt64 = 0
  private var byteCount = 0
  private var operationCount = 0

  var count: Int { entries.count }

  func contains(_ hash: ChangeHash) -> Bool { tickets[hash] != nil }

  /// What the waiting changes depend on and nobody has brought, ascending.
  var missing: [ChangeHash] { waiters.keys.filter { tickets[$0] == nil }.sorted() }

  /// In order of arrival.
  var changes: [Change] { entries.sorted { $0.key < $1.key }.map(\.value) }

  /// Lets a change wait for those of its dependencies that are `missing`.
  mutating func append(
    _ change: Change, missing: [ChangeHash], limits: Limits
  ) throws(AutomergeError) {
    guard entries.count < limits.waitingChangeCountMax,
      byteCount + change.bytes.count <= limits.waitingByteCountMax,
      operationCount + change.operationCount <= limits.waitingOperationCountMax
    else { throw AutomergeError(.limitReached, .init(change: change.hash)) }
    insert(change, nextTicket, missing)
    nextTicket += 1
  }

  private mutating func insert(_ change: Change, _ ticket: UInt64, _ missing: [ChangeHash]) {
    entries[ticket] = change
    tickets[change.hash] = ticket
    missingCounts[ticket] = missing.count
    for hash in missing { waiters[hash, default: []].append(ticket) }
    byteCount += change.bytes.count
    operationCount += change.operationCount
  }

  /// A change was applied: gives those who wait for nothing any more.
  mutating func arrived(_ hash: ChangeHash) -> [UInt64] {
    guard let waiting = waiters.removeValue(forKey: hash) else { return [] }
    return waiting.filter { ticket in
      guard let count = missingCounts[ticket] else { return false }
      missingCounts[ticket] = count - 1
      return count == 1
    }
  }

  mutating func remove(_ ticket: UInt64) -> Change? {
    guard let change = entries.removeValue(forKey: ticket) else { return nil }
    tickets[change.hash] = nil
    missingCounts[ticket] = nil
    byteCount -= change.bytes.count
    operationCount -= change.operationCount
    return change
  }

  /// Undoes a batch: those from a ticket on did not come, `removed` did not leave.
  mutating func restore(
    firstAdded: UInt64, removed: [UInt64: Change], missing: (Change) -> [ChangeHash]
  ) {
    let all = entries.merging(removed) { kept, _ in kept }.filter { $0.key < firstAdded }
    var restored = WaitingQueue()
    restored.nextTicket = firstAdded
    for (ticket, change) in all.sorted(by: { $0.key < $1.key }) {
      restored.insert(change, ticket, missing(change))
    }
    self = restored
  }
}
