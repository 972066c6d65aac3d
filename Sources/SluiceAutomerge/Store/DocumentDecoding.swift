// From a document chunk to a store. The chunk holds operations with their successors and no hashes:
// so the changes are rebuilt, each is hashed, and the heads must come out. That proves the content.

struct DocumentDecoding {
  private let chunk: DocumentChunk
  private let limits: Limits
  private var changes: [DocumentChange] = []
  private var operations: [(id: LocalID, operation: ChangeOperation)] = []
  private var successors: [LocalID] = []
  private var finder: OperationFinder
  private var spans: [ChangeSpan] = []

  /// The rows of a change.
  private struct ChangeSpan {
    var leastCounter = UInt32.max
    var firstRow: UInt32 = 0
    var rowCount: UInt32 = 0
  }

  /// By row of the store: the document's row, the predecessor of a deletion, or nothing yet.
  private var sources: [UInt32] = []
  private static let deletionBit = UInt32(1) << 31
  /// By successor: the row of the store.
  private var successorRows: [UInt32] = []
  /// By row of the store: where its predecessors stand in `predecessors`.
  private var predecessorStarts: [UInt32] = []
  private var predecessors: [UInt32] = []

  /// The store of a document chunk.
  static func store(_ chunk: Chunk, limits: Limits) throws(AutomergeError) -> Store {
    var decoding = try DocumentDecoding(chunk, limits: limits)
    try decoding.placeRows()
    try decoding.invertSuccessors()
    return try decoding.makeStore()
  }

  private init(_ chunk: Chunk, limits: Limits) throws(AutomergeError) {
    self.limits = limits
    self.chunk = try DocumentChunk(chunk, limits: limits)
    let actorCount = self.chunk.actors.count
    var changeReader = try DocumentChangeReader(
      self.chunk.changeColumns, actorCount: actorCount, limits: limits)
    for row in 0..<changeReader.rowCount { changes.append(try changeReader.next(row: row)) }
    try changeReader.checkEnd()
    var reader = try OperationReader(
      self.chunk.operationColumns, ofDocument: true, actorCount: actorCount, limits: limits)
    operations.reserveCapacity(reader.rowCount)
    for row in 0..<reader.rowCount {
      let id = try reader.nextID(row: row)
      let operation = try reader.next(row: row)
      guard operation.action != Action.delete else {
        throw AutomergeError(.unknownAction, .init(column: Column.action, row: row))
      }
      operations.append((id, operation))
    }
    try reader.checkEnd()
    successors = reader.references
    finder = try OperationFinder(changes, actorCount: actorCount)
  }

  // MARK: Places

  /// Gives every operation its row: changes in order, the operations of each by counter.
  private mutating func placeRows() throws(AutomergeError) {
    spans = Array(repeating: ChangeSpan(), count: changes.count)
    for index in operations.indices { try note(operations[index].id) }
    for successor in successors { try note(successor) }
    var total: UInt64 = 0
    let known = UInt64(operations.count) + UInt64(successors.count)
    for index in spans.indices where spans[index].leastCounter != .max {
      let rowCount = UInt64(changes[index].maxCounter - spans[index].leastCounter) + 1
      guard total + rowCount <= known else { throw AutomergeError(.operationMissing) }
      spans[index].rowCount = UInt32(rowCount)
      total += rowCount
    }
    guard total <= UInt64(limits.operationCountMax) else { throw AutomergeError(.limitReached) }
    var next: UInt32 = 0
    for index in spans.indices {
      spans[index].firstRow = next
      next += spans[index].rowCount
    }
    sources = Array(repeating: .max, count: Int(total))
    for index in operations.indices {
      let row = try place(of: operations[index].id)
      guard sources[Int(row)] == .max else {
        throw AutomergeError(.operationTwice, .init(row: index))
      }
      sources[Int(row)] = UInt32(index)
    }
  }

  private mutating func note(_ id: LocalID) throws(AutomergeError) {
    guard let change = finder.change(of: id) else { throw AutomergeError(.operationMissing) }
    spans[change].leastCounter = min(spans[change].leastCounter, id.counter)
  }

  private mutating func place(of id: LocalID) throws(AutomergeError) -> UInt32 {
    guard let change = finder.change(of: id), id.counter >= spans[change].leastCounter else {
      throw AutomergeError(.operationMissing)
    }
    return spans[change].firstRow + (id.counter - spans[change].leastCounter)
  }

  /// Turns successors into predecessors. A successor without a row is a deletion.
  private mutating func invertSuccessors() throws(AutomergeError) {
    predecessorStarts = Array(repeating: 0, count: sources.count + 1)
    successorRows.reserveCapacity(successors.count)
    for (index, entry) in operations.enumerated() {
      let start = Int(entry.operation.referenceStart)
      for successor in successors[start..<start + Int(entry.operation.referenceCount)] {
        let row = try place(of: successor)
        if sources[Int(row)] == .max { sources[Int(row)] = UInt32(index) | Self.deletionBit }
        successorRows.append(row)
        predecessorStarts[Int(row) + 1] += 1
      }
    }
    for row in sources.indices {
      guard sources[row] != .max else { throw AutomergeError(.operationMissing) }
      predecessorStarts[row + 1] += predecessorStarts[row]
    }
    predecessors = Array(repeating: 0, count: successors.count)
    var ends = predecessorStarts
    for entry in operations where entry.operation.referenceCount > 0 {
      let predecessor = try place(of: entry.id)
      let start = Int(entry.operation.referenceStart)
      for row in successorRows[start..<start + Int(entry.operation.referenceCount)] {
        predecessors[Int(ends[Int(row)])] = predecessor
        ends[Int(row)] += 1
      }
    }
  }

  // MARK: The store

  private mutating func makeStore() throws(AutomergeError) -> Store {
    var store = Store(limits: limits)
    for actor in chunk.actors { _ = store.actors.insert(actor) }
    store.rows.reserveCapacity(sources.count)
    store.changes.reserve(changes.count)
    var room = RegenerationRoom()
    var encoder = ChangeEncoder()
    var hashRoom: [UInt8] = []
    for index in changes.indices {
      try append(index, to: &store)
    }
    for index in changes.indices {
      let record = store.changes[UInt32(index)]
      store.regenerated(UInt32(index), &room)
      let dependencies = room.change.dependencies
      for next in dependencies.indices.dropFirst()
      where dependencies[next] <= dependencies[next - 1] {
        throw AutomergeError(.dependencyOrder, .init(row: index))
      }
      encoder.encode(room.change)
      let hash = Chunk.hash(ofChange: encoder.contents, room: &hashRoom)
      guard record.hash == .zero, store.changes.setHash(hash, of: UInt32(index)) else {
        throw AutomergeError(.duplicateSequence, .init(row: index))
      }
    }
    try checkHeads(of: store)
    store.takeEffectAtOnce()
    return store
  }

  private func checkHeads(of store: Store) throws(AutomergeError) {
    let heads = store.changes.heads.map { store.changes[$0].hash }.sorted()
    guard heads == chunk.heads else { throw AutomergeError(.headsMismatch) }
    guard let indexes = chunk.headIndexes else { return }
    for (head, index) in zip(chunk.heads, indexes) {
      guard index < UInt64(changes.count), store.changes[UInt32(index)].hash == head else {
        throw AutomergeError(.headIndex)
      }
    }
  }

  private mutating func append(_ index: Int, to store: inout Store) throws(AutomergeError) {
    let change = changes[index]
    let span = spans[index]
    let start = UInt64(change.maxCounter) + 1 - UInt64(span.rowCount)
    guard start > 0, start <= UInt32.max else { throw AutomergeError(.counterTooLarge) }
    let context: Store.AdmissionContext
    do {
      context = try store.begin(
        actor: change.actor, sequence: change.sequence, startCounter: UInt32(start),
        operationCount: Int(span.rowCount), dependencies: change.dependencies)
    } catch {
      throw AutomergeError(error.reason, .init(row: index))
    }
    let source = chunk.changeColumns.bytes
    let message = store.appendContents(source[change.message.range])
    let extra = store.appendContents(source[change.extra.range])
    store.changes.updateLast { record in
      record.time = change.time
      record.message = message
      record.extra = extra
    }
    for row in span.firstRow..<span.firstRow + span.rowCount {
      do throws(AutomergeError.Reason) {
        try append(row, counter: UInt32(start) + (row - span.firstRow), change.actor, to: &store)
        try store.check(row: row, context)
      } catch {
        throw AutomergeError(error, .init(row: Int(sources[Int(row)] & ~Self.deletionBit)))
      }
    }
    try store.checkMarkPairs(Int(span.firstRow)..<Int(span.firstRow + span.rowCount))
  }

  private var lastKey = (range: ByteRange.none, index: UInt32(0))
  private var lastObject = (id: LocalID.none, slot: Store.rootSlot)

  private mutating func append(
    _ row: UInt32, counter: UInt32, _ actor: UInt32, to store: inout Store
  ) throws(AutomergeError.Reason) {
    let isDeletion = sources[Int(row)] & Self.deletionBit != 0
    let entry = operations[Int(sources[Int(row)] & ~Self.deletionBit)]
    let operation = entry.operation
    let source = chunk.operationColumns.bytes
    let slot = try slot(of: operation.object, store)
    var key = OperationRow.head
    if !operation.key.isNone {
      if operation.key != lastKey.range {
        let name = source[operation.key.range]
        lastKey = (operation.key, store.keys.insert(name, into: &store.contents))
      }
      key = lastKey.index
    } else if isDeletion, operation.isInsert {
      key = try existing(entry.id, before: row)
    } else if operation.element != .head {
      key = try existing(operation.element, before: row)
    }
    if operation.key.isNone == !store.isSequence(slot) { throw .badKey }
    var result = OperationRow(
      counter: counter, actor: actor, object: slot, key: key,
      action: isDeletion ? Action.delete : operation.action,
      valueCode: isDeletion ? ValueCode.null : operation.valueCode)
    result.predecessors = keepPredecessors(of: row, in: &store)
    if !isDeletion {
      if operation.isInsert {
        result.flags.insert(.insert)
        if result.predecessors != OperationRow.noPredecessor { throw .badInsertion }
      }
      if operation.expands { result.flags.insert(.expands) }
      if operation.value.count > 0 {
        let value = store.appendContents(source[operation.value.range])
        result.valueStart = value.start
        result.valueByteCount = value.count
      }
      if !operation.markName.isNone {
        store.markNames[row] = store.appendContents(source[operation.markName.range])
      }
    }
    try store.append(result)
  }

  private mutating func slot(
    of object: LocalID, _ store: Store
  ) throws(AutomergeError.Reason) -> UInt32 {
    if object == lastObject.id { return lastObject.slot }
    var slot = Store.rootSlot
    if object != .none {
      guard let row = try? place(of: object), row < store.rows.count,
        Action.makesObject(store.rows[Int(row)].action)
      else { throw .unknownObject }
      slot = store.rows[Int(row)].valueStart
    }
    lastObject = (object, slot)
    return slot
  }

  private mutating func existing(
    _ id: LocalID, before row: UInt32
  ) throws(AutomergeError.Reason) -> UInt32 {
    guard let found = try? place(of: id), found < row else { throw .unknownElement }
    return found
  }

  /// The row's predecessors, ascending.
  private func keepPredecessors(of row: UInt32, in store: inout Store) -> UInt32 {
    let range = Int(predecessorStarts[Int(row)])..<Int(predecessorStarts[Int(row) + 1])
    if range.isEmpty { return OperationRow.noPredecessor }
    if range.count == 1 { return predecessors[range.lowerBound] }
    // The actors of the chunk are sorted, so comparing indexes compares actors.
    let sorted = predecessors[range].sorted { left, right in
      let first = operations[Int(sources[Int(left)])].id
      let second = operations[Int(sources[Int(right)])].id
      return (first.counter, first.actor) < (second.counter, second.actor)
    }
    return store.keep(predecessors: sorted)
  }
}

/// Finds the change of an operation by the greatest counters of its actor's changes. Neighbouring rows
/// mostly belong to the same change or the next one, so it begins where it found the last.
private struct OperationFinder {
  private var changes: [[UInt32]]
  private var maxCounters: [[UInt32]]
  private var hints: [Int]

  init(_ rows: [DocumentChange], actorCount: Int) throws(AutomergeError) {
    changes = Array(repeating: [], count: actorCount)
    maxCounters = changes
    hints = Array(repeating: 0, count: actorCount)
    for (row, change) in rows.enumerated() {
      let actor = Int(change.actor)
      guard change.sequence == UInt64(changes[actor].count) + 1 else {
        throw AutomergeError(.sequenceOrder, .init(row: row))
      }
      if let last = maxCounters[actor].last, change.maxCounter < last {
        throw AutomergeError(.maxOperation, .init(row: row))
      }
      changes[actor].append(UInt32(row))
      maxCounters[actor].append(change.maxCounter)
    }
  }

  mutating func change(of id: LocalID) -> Int? {
    let actor = Int(id.actor)
    let hint = hints[actor]
    for candidate in hint..<hint + 2 where isFirst(candidate, actor, id.counter) {
      hints[actor] = candidate
      return Int(changes[actor][candidate])
    }
    var low = 0
    var high = maxCounters[actor].count
    while low < high {
      let middle = (low + high) / 2
      if maxCounters[actor][middle] >= id.counter { high = middle } else { low = middle + 1 }
    }
    guard low < maxCounters[actor].count else { return nil }
    hints[actor] = low
    return Int(changes[actor][low])
  }

  /// Whether this is the first change that reaches the counter.
  private func isFirst(_ candidate: Int, _ actor: Int, _ counter: UInt32) -> Bool {
    candidate < maxCounters[actor].count && maxCounters[actor][candidate] >= counter
      && (candidate == 0 || maxCounters[actor][candidate - 1] < counter)
  }
}
