// Changes that came before those on which they depend, within limits.
//
// The order in which waiting changes are applied decides the bytes of a saved document, so it is the
// reference's: whoever is ready and stands foremost goes next, and the last one of the queue takes
// its place.

struct WaitingQueue: Sendable {
  /// By ticket: the order of arrival.
  private var entries: [UInt64: Entry] = [:]
  /// Tickets in the queue's order.
  private(set) var order: [UInt64] = []
  private var tickets: [ChangeHash: UInt64] = [:]
  /// By missing change: who waits for it.
  private var waiters: [ChangeHash: [UInt64]] = [:]
  private var ready = ReadyHeap()
  private(set) var nextTicket: UInt64 = 0
  private var byteCount = 0
  private var operationCount = 0

  private struct Entry: Sendable {
    var change: Change
    var position: Int
    var missingCount: Int
  }

  var count: Int { order.count }

  func contains(_ hash: ChangeHash) -> Bool { tickets[hash] != nil }

  /// What the waiting changes depend on and nobody has brought, ascending.
  var missing: [ChangeHash] { waiters.keys.filter { tickets[$0] == nil }.sorted() }

  /// In the queue's order.
  var changes: [Change] { order.compactMap { entries[$0]?.change } }

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
    entries[ticket] = Entry(change: change, position: order.count, missingCount: missing.count)
    order.append(ticket)
    tickets[change.hash] = ticket
    for hash in missing { waiters[hash, default: []].append(ticket) }
    byteCount += change.bytes.count
    operationCount += change.operationCount
  }

  /// A change was applied: those who wait for nothing else are ready.
  mutating func arrived(_ hash: ChangeHash) {
    for ticket in waiters.removeValue(forKey: hash) ?? [] {
      guard var entry = entries[ticket] else { continue }
      entry.missingCount -= 1
      entries[ticket] = entry
      if entry.missingCount == 0 { ready.insert(position: entry.position, ticket: ticket) }
    }
  }

  /// Takes the foremost change that is ready out of the queue.
  mutating func takeReady() -> (ticket: UInt64, change: Change)? {
    while let (position, ticket) = ready.removeLeast() {
      // It may have moved since.
      guard let entry = entries[ticket], entry.position == position else { continue }
      entries[ticket] = nil
      tickets[entry.change.hash] = nil
      byteCount -= entry.change.bytes.count
      operationCount -= entry.change.operationCount
      let last = order.removeLast()
      if last != ticket {
        order[position] = last
        entries[last]?.position = position
        if entries[last]?.missingCount == 0 { ready.insert(position: position, ticket: last) }
      }
      return (ticket, entry.change)
    }
    return nil
  }

  /// Undoes a batch: the queue was in this order, and `removed` have not left it.
  mutating func restore(
    order: [UInt64], removed: [UInt64: Change], missing: (Change) -> [ChangeHash]
  ) {
    var restored = WaitingQueue()
    for ticket in order {
      guard let change = removed[ticket] ?? entries[ticket]?.change else { continue }
      restored.insert(change, ticket, missing(change))
    }
    restored.nextTicket = nextTicket
    self = restored
  }
}

/// Tickets by their position in the queue, the least first.
private struct ReadyHeap: Sendable {
  private var items: [(position: Int, ticket: UInt64)] = []

  mutating func insert(position: Int, ticket: UInt64) {
    items.append((position, ticket))
    var index = items.count - 1
    while index > 0, items[index].position < items[(index - 1) / 2].position {
      items.swapAt(index, (index - 1) / 2)
      index = (index - 1) / 2
    }
  }

  mutating func removeLeast() -> (position: Int, ticket: UInt64)? {
    guard let least = items.first else { return nil }
    let last = items.removeLast()
    guard !items.isEmpty else { return least }
    items[0] = last
    var index = 0
    while true {
      var child = 2 * index + 1
      guard child < items.count else { return least }
      if child + 1 < items.count, items[child + 1].position < items[child].position { child += 1 }
      if items[index].position <= items[child].position { return least }
      items.swapAt(index, child)
      index = child
    }
  }
}
