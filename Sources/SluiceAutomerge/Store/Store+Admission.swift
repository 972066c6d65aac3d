// Admitting a change: everything that must hold before it may take effect. Whoever calls
// `admit` cuts the store back to a checkpoint if it throws.

extension Store {
  /// The ends of all tables.
  struct Checkpoint {
    var contents: Int
    var keys: Int
    var actors: Int
    var rows: Int
    var predecessorLists: Int
    var objects: Int
    var changes: Int
    var clocks: Int
    var heads: [UInt32]
  }

  var checkpoint: Checkpoint {
    Checkpoint(
      contents: contents.count, keys: keys.count, actors: actors.count, rows: rows.count,
      predecessorLists: predecessorLists.count, objects: objects.count, changes: changes.count,
      clocks: clocks.count, heads: changes.heads)
  }

  /// Forgets what was admitted since the checkpoint and took no effect yet.
  mutating func cutBack(to checkpoint: Checkpoint) {
    for index in checkpoint.changes..<max(changes.count, checkpoint.changes) {
      actors.changes[Int(changes[UInt32(index)].actor)].removeLast()
    }
    changes.truncate(to: checkpoint.changes, heads: checkpoint.heads)
    if clocks.count > checkpoint.clocks { clocks.truncate(to: checkpoint.clocks) }
    rows.removeSubrange(checkpoint.rows...)
    predecessorLists.removeSubrange(checkpoint.predecessorLists...)
    objects.removeSubrange(checkpoint.objects...)
    markNames = markNames.filter { $0.key < checkpoint.rows }
    contents.removeSubrange(checkpoint.contents...)
    keys.truncate(to: checkpoint.keys, contents: contents)
    actors.truncate(to: checkpoint.actors)
  }

  /// Admits a change whose dependencies are all applied.
  mutating func admit(
    _ change: ChangeContents, hash: ChangeHash, dependencies: [UInt32]
  ) throws(AutomergeError) {
    guard actors.count + change.actors.count <= limits.actorCountMax,
      rows.count + change.operations.count <= limits.operationCountMax,
      predecessorLists.count + change.predecessors.count * 2 <= limits.operationCountMax,
      contents.count + change.source.count <= limits.contentByteCountMax
    else { throw AutomergeError(.limitReached) }
    let actorIndexes = change.actors.map { actors.insert($0) }
    let message = appendContents(change.source[change.message.range])
    let extra = appendContents(change.source[change.extra.range])
    let context = try begin(
      actor: actorIndexes[0], sequence: change.sequence, startCounter: change.startCounter,
      operationCount: change.operations.count, dependencies: dependencies)
    changes.updateLast { record in
      record.time = change.time
      record.message = message
      record.extra = extra
    }
    guard changes.setHash(hash, of: UInt32(changes.count - 1)) else {
      throw AutomergeError(.duplicateSequence)
    }
    rows.reserveRoom(for: change.operations.count)
    var object = (id: LocalID.none, slot: Self.rootSlot)
    for index in change.operations.indices {
      do throws(AutomergeError.Reason) {
        try append(change, index, actorIndexes, &object)
        try check(row: UInt32(rows.count - 1), context)
      } catch {
        throw AutomergeError(error, .init(row: index))
      }
    }
    try checkMarkPairs(rows.count - change.operations.count..<rows.count)
  }

  /// Each beginning of a mark is followed by its end, in the same object and change.
  func checkMarkPairs(_ range: Range<Int>) throws(AutomergeError) {
    var begin: Int?
    for index in range where begin != nil || rows[index].action == Action.mark {
      let row = rows[index]
      if let open = begin {
        guard row.action == Action.mark, markNames[UInt32(index)] == nil,
          row.object == rows[open].object
        else { throw AutomergeError(.badMark, .init(row: index - range.lowerBound)) }
        begin = nil
      } else {
        guard markNames[UInt32(index)] != nil else {
          throw AutomergeError(.badMark, .init(row: index - range.lowerBound))
        }
        begin = index
      }
    }
    if begin != nil { throw AutomergeError(.badMark, .init(row: range.count - 1)) }
  }

  /// What the checks of a change's operations need to know of it.
  struct AdmissionContext {
    var actor: UInt32
    var clock: UInt32
    /// Every applied change is an ancestor.
    var coversAll: Bool
  }

  /// Appends the record of a change that has all its dependencies, and checks its place in history.
  mutating func begin(
    actor: UInt32, sequence: UInt64, startCounter: UInt32, operationCount: Int,
    dependencies: [UInt32]
  ) throws(AutomergeError) -> AdmissionContext {
    guard changes.count < limits.changeCountMax else { throw AutomergeError(.limitReached) }
    let applied = UInt64(actors.changes[Int(actor)].count)
    guard sequence == applied + 1 else {
      throw AutomergeError(sequence <= applied ? .duplicateSequence : .sequenceGap)
    }
    for dependency in dependencies where changes[dependency].maxCounter >= startCounter {
      throw AutomergeError(.counterReused)
    }
    let coversAll = changes.coversHeads(dependencies)
    let (clock, ownAncestors) = clock(of: dependencies, actor: actor)
    guard UInt64(ownAncestors) == applied else { throw AutomergeError(.forkedActor) }
    changes.append(
      ChangeRecord(
        hash: .zero, actor: actor, sequence: UInt32(sequence), startCounter: startCounter,
        firstRow: UInt32(rows.count), operationCount: UInt32(operationCount), dependencyStart: 0,
        dependencyCount: 0, clock: clock, time: 0, message: ByteRange(start: 0, count: 0),
        extra: ByteRange(start: 0, count: 0)), dependencies: dependencies)
    actors.changes[Int(actor)].append(UInt32(changes.count - 1))
    return AdmissionContext(actor: actor, clock: clock, coversAll: coversAll)
  }

  // MARK: Clocks

  /// The clock of the ancestors that these dependencies bring, and how many of them are the actor's.
  private mutating func clock(
    of dependencies: [UInt32], actor: UInt32
  ) -> (clock: UInt32, ownAncestors: UInt32) {
    if dependencies.isEmpty { return (ClockTable.empty, 0) }
    if dependencies.count == 1, changes[dependencies[0]].actor == actor {
      // Who goes on alone has the ancestors of the last change, and that change.
      let record = changes[dependencies[0]]
      if record.clock != .max { return (record.clock, record.sequence) }
    }
    if clocks.isFull {
      clocks.removeAll()
      changes.forgetClocks()
    }
    var merged: [UInt32] = []
    for dependency in dependencies { merge(clockWithItself(dependency), into: &merged) }
    let own = Int(actor) < merged.count ? merged[Int(actor)] : 0
    return (clocks.append(merged), own)
  }

  private func merge(_ values: [UInt32], into merged: inout [UInt32]) {
    while merged.count < values.count { merged.append(0) }
    for (index, value) in values.enumerated() where value > merged[index] {
      merged[index] = value
    }
  }

  /// For each actor, how many of its changes are this one or its ancestors.
  private func clockWithItself(_ index: UInt32) -> [UInt32] {
    let record = changes[index]
    var values: [UInt32]
    if record.clock != .max {
      values = Array(clocks.values(of: record.clock))
    } else {
      values = []
      let isAncestor = ancestors(of: [index])
      for ancestor in 0...Int(index) where isAncestor[ancestor] {
        let record = changes[UInt32(ancestor)]
        while values.count <= Int(record.actor) { values.append(0) }
        values[Int(record.actor)] = max(values[Int(record.actor)], record.sequence)
      }
    }
    while values.count <= Int(record.actor) { values.append(0) }
    values[Int(record.actor)] = record.sequence
    return values
  }

  /// By change: whether it is one of these or an ancestor of one.
  func ancestors(of indexes: [UInt32]) -> [Bool] {
    var isAncestor = [Bool](repeating: false, count: changes.count)
    for index in indexes { isAncestor[Int(index)] = true }
    // Dependencies stand before those who depend on them.
    for index in stride(from: changes.count - 1, through: 0, by: -1) where isAncestor[index] {
      for dependency in changes.dependencies(of: changes[UInt32(index)]) {
        isAncestor[Int(dependency)] = true
      }
    }
    return isAncestor
  }

  // MARK: Operations

  /// Appends the row of an operation, and finds what it names.
  private mutating func append(
    _ change: ChangeContents, _ index: Int, _ actorIndexes: [UInt32],
    _ object: inout (id: LocalID, slot: UInt32)
  ) throws(AutomergeError.Reason) {
    let operation = change.operations[index]
    if operation.object != object.id {
      if operation.object == .none {
        object = (.none, Self.rootSlot)
      } else {
        let row = find(operation.object, actorIndexes)
        guard let row, Action.makesObject(rows[Int(row)].action) else { throw .unknownObject }
        object = (operation.object, rows[Int(row)].valueStart)
      }
    }
    var key = OperationRow.head
    if !operation.key.isNone {
      key = keys.insert(change.source[operation.key.range], into: &contents)
    } else if operation.element != .head {
      guard let element = find(operation.element, actorIndexes) else { throw .unknownElement }
      key = element
    }
    var row = OperationRow(
      counter: change.startCounter + UInt32(index), actor: actorIndexes[0], object: object.slot,
      key: key, action: operation.action, valueCode: operation.valueCode)
    if operation.isInsert { row.flags.insert(.insert) }
    if operation.expands { row.flags.insert(.expands) }
    if operation.referenceCount == 1 {
      let predecessor = find(change.predecessors[Int(operation.referenceStart)], actorIndexes)
      guard let predecessor else { throw .unknownPredecessor }
      row.predecessors = predecessor
    } else if operation.referenceCount > 1 {
      var predecessors: [UInt32] = []
      let start = Int(operation.referenceStart)
      for id in change.predecessors[start..<start + Int(operation.referenceCount)] {
        guard let predecessor = find(id, actorIndexes) else { throw .unknownPredecessor }
        predecessors.append(predecessor)
      }
      row.predecessors = keep(predecessors: predecessors)
    }
    // A key on which a map and a sequence agree by chance must not pass for an element.
    if operation.key.isNone == !isSequence(object.slot) { throw .badKey }
    if operation.value.count > 0 {
      let value = appendContents(change.source[operation.value.range])
      row.valueStart = value.start
      row.valueByteCount = value.count
    }
    if !operation.markName.isNone {
      markNames[UInt32(rows.count)] = appendContents(change.source[operation.markName.range])
    }
    try append(row)
  }

  /// Appends a row, and the object that it makes.
  mutating func append(_ row: OperationRow) throws(AutomergeError.Reason) {
    var row = row
    if let kind = ObjectKind(rawValue: row.action) {
      let depth = objects[Int(row.object)].depth + 1
      guard depth <= limits.nestingDepthMax else { throw .limitReached }
      row.valueStart = UInt32(objects.count)
      objects.append(ObjectRecord(row: UInt32(rows.count), kind: kind, depth: depth))
    }
    rows.append(row)
  }

  private func find(_ id: LocalID, _ actorIndexes: [UInt32]) -> UInt32? {
    guard let row = row(counter: id.counter, actor: actorIndexes[Int(id.actor)]),
      row < rows.count
    else { return nil }
    return row
  }

  func isSequence(_ slot: UInt32) -> Bool { objects[Int(slot)].kind.isSequence }

  /// Checks that what the row names are ancestors of the right kind.
  func check(row index: UInt32, _ context: AdmissionContext) throws(AutomergeError.Reason) {
    let row = rows[Int(index)]
    let object = objects[Int(row.object)]
    if row.object != Self.rootSlot {
      guard object.row < index, isAncestor(object.row, context) else { throw .unknownObject }
    }
    let isSequence = object.kind.isSequence
    if isSequence, row.key != OperationRow.head {
      let element = rows[Int(row.key)]
      guard row.key < index, element.isInsert, element.object == row.object,
        isAncestor(row.key, context)
      else { throw .unknownElement }
      if !row.isInsert, element.action == Action.mark { throw .unknownElement }
    }
    if row.isInsert != (isSequence && row.isInsert) { throw .badInsertion }
    if row.predecessors == OperationRow.noPredecessor { return }
    if row.predecessors & OperationRow.listBit == 0 {
      try check(predecessor: row.predecessors, of: index, isSequence, context)
    } else {
      for predecessor in predecessors(of: row) {
        try check(predecessor: predecessor, of: index, isSequence, context)
      }
    }
  }

  private func check(
    predecessor: UInt32, of index: UInt32, _ isSequence: Bool, _ context: AdmissionContext
  ) throws(AutomergeError.Reason) {
    guard predecessor < index, isAncestor(predecessor, context) else { throw .unknownPredecessor }
    let other = rows[Int(predecessor)]
    let row = rows[Int(index)]
    let key = isSequence && other.isInsert ? predecessor : other.key
    guard other.isValue, other.object == row.object, key == row.key else {
      throw .badPredecessor
    }
  }

  private func isAncestor(_ row: UInt32, _ context: AdmissionContext) -> Bool {
    let operation = rows[Int(row)]
    if context.coversAll || operation.actor == context.actor { return true }
    guard let change = change(counter: operation.counter, actor: operation.actor) else {
      return false
    }
    return clocks.value(of: context.clock, actor: operation.actor) >= changes[change].sequence
  }
}

extension [OperationRow] {
  /// Room for so many more, without growing by single steps.
  fileprivate mutating func reserveRoom(for count: Int) {
    if count > 1024, capacity < self.count + count {
      reserveCapacity(Swift.max(self.count + count, capacity * 3 / 2))
    }
  }
}
