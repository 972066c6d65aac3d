// From a store to a document chunk: all changes in order of application, and all operations but
// deletions, by object, key or place, and id.

struct DocumentEncoding {
  private let store: Store
  private let compressing: Bool
  /// By actor of the store: its index in the document, which names those with changes, ascending.
  private var actorIndexes: [UInt32] = []
  private var actors: [UInt32] = []
  /// By row: where its successors stand in `successors`.
  private var successorStarts: [UInt32] = []
  private var successors: [UInt32] = []
  private var writer = OperationWriter()

  /// The document chunk. Columns of 256 bytes and more are deflated if `compressing`.
  static func chunk(of store: Store, compressing: Bool) -> [UInt8] {
    var encoding = DocumentEncoding(store, compressing: compressing)
    return encoding.encode()
  }

  private init(_ store: Store, compressing: Bool) {
    self.store = store
    self.compressing = compressing
    actorIndexes = Array(repeating: .max, count: store.actors.count)
    for actor in store.actors.byRank where !store.actors.changes[Int(actor)].isEmpty {
      actorIndexes[Int(actor)] = UInt32(actors.count)
      actors.append(actor)
    }
    invertPredecessors()
  }

  private mutating func encode() -> [UInt8] {
    var contents: [UInt8] = []
    contents.append(unsigned: UInt64(actors.count))
    for actor in actors { contents.append(lengthPrefixed: store.actors.names[Int(actor)]) }
    let heads = store.changes.heads.map { (store.changes[$0].hash, $0) }.sorted { $0.0 < $1.0 }
    contents.append(unsigned: UInt64(heads.count))
    for head in heads { head.0.append(to: &contents) }

    let changeColumns = encodeChanges()
    writeOperations()
    var operationColumns: [(UInt32, [UInt8])] = []
    writer.finish(ofDocument: true, from: store.contents) { column, bytes in
      operationColumns.append((column, bytes))
    }
    var data: [UInt8] = []
    for columns in [changeColumns, operationColumns] {
      contents.append(unsigned: UInt64(columns.count))
      for (column, bytes) in columns {
        if compressing, bytes.count >= 256, let stream = deflated(bytes) {
          contents.append(unsigned: UInt64(column | Column.deflateBit))
          contents.append(unsigned: UInt64(stream.count))
          data.append(contentsOf: stream)
        } else {
          contents.append(unsigned: UInt64(column))
          contents.append(unsigned: UInt64(bytes.count))
          data.append(contentsOf: bytes)
        }
      }
    }
    contents.append(contentsOf: data)
    for head in heads { contents.append(unsigned: UInt64(head.1)) }
    return Chunk.make(.document, contents).bytes
  }

  // MARK: Changes

  private func encodeChanges() -> [(UInt32, [UInt8])] {
    var actor = RunWriter<UInt64>()
    var sequence = DeltaWriter()
    var maxOperation = DeltaWriter()
    var time = DeltaWriter()
    var message = RunWriter<ByteRange>()
    var group = RunWriter<UInt64>()
    var dependency = DeltaWriter()
    var extraMetadata = RunWriter<UInt64>()
    var extra: [UInt8] = []
    for record in store.changes.records {
      actor.append(UInt64(actorIndexes[Int(record.actor)]))
      sequence.append(Int64(record.sequence))
      maxOperation.append(Int64(record.maxCounter))
      time.append(record.time)
      if record.message.count == 0 {
        message.appendNull(from: store.contents)
      } else {
        message.append(record.message, from: store.contents)
      }
      let dependencies = store.changes.dependencies(of: record)
      group.append(UInt64(dependencies.count))
      for index in dependencies { dependency.append(Int64(index)) }
      extraMetadata.append(UInt64(record.extra.count) << 4 | UInt64(ValueCode.bytes))
      extra.append(contentsOf: store.contents[record.extra.range])
    }
    actor.finish()
    sequence.finish()
    maxOperation.finish()
    time.finish()
    message.finish(from: store.contents)
    group.finish()
    dependency.finish()
    extraMetadata.finish()
    let columns = [
      (Column.changeActor, actor.bytes), (Column.changeSequence, sequence.bytes),
      (Column.changeMaxOperation, maxOperation.bytes), (Column.changeTime, time.bytes),
      (Column.changeMessage, message.bytes), (Column.changeDependencyGroup, group.bytes),
      (Column.changeDependencyIndex, dependency.bytes),
      (Column.changeExtraMetadata, extraMetadata.bytes), (Column.changeExtra, extra),
    ]
    return columns.filter { !$0.1.isEmpty }
  }

  // MARK: Operations

  /// The successors of each row, ascending.
  private mutating func invertPredecessors() {
    successorStarts = Array(repeating: 0, count: store.rows.count + 1)
    forEachPredecessor { predecessor, _ in successorStarts[Int(predecessor) + 1] += 1 }
    for row in store.rows.indices { successorStarts[row + 1] += successorStarts[row] }
    successors = Array(repeating: 0, count: Int(successorStarts.last!))
    var ends = successorStarts
    forEachPredecessor { predecessor, successor in
      successors[Int(ends[Int(predecessor)])] = successor
      ends[Int(predecessor)] += 1
    }
    for row in store.rows.indices {
      let range = Int(successorStarts[row])..<Int(successorStarts[row + 1])
      guard range.count > 1 else { continue }
      successors[range].sort {
        LamportOrder.precedes($0, $1, store.rows, store.actors.ranks)
      }
    }
  }

  private func forEachPredecessor(_ body: (_ predecessor: UInt32, _ successor: UInt32) -> Void) {
    for index in store.rows.indices {
      let row = store.rows[index]
      if row.predecessors == OperationRow.noPredecessor { continue }
      if row.predecessors & OperationRow.listBit == 0 {
        body(row.predecessors, UInt32(index))
      } else {
        for predecessor in store.predecessors(of: row) { body(predecessor, UInt32(index)) }
      }
    }
  }

  private mutating func writeOperations() {
    // The rows of each object, without what the sequences' trees tell anyway.
    var starts = [Int](repeating: 0, count: store.objects.count + 1)
    for row in store.rows where isGathered(row) { starts[Int(row.object) + 1] += 1 }
    for slot in store.objects.indices { starts[slot + 1] += starts[slot] }
    var gathered = [UInt32](repeating: 0, count: starts.last!)
    var ends = starts
    for index in store.rows.indices where isGathered(store.rows[index]) {
      let slot = Int(store.rows[index].object)
      gathered[ends[slot]] = UInt32(index)
      ends[slot] += 1
    }
    let keyRanks = keyRanks()
    var slots = Array(store.objects.indices.dropFirst())
    slots.sort {
      LamportOrder.precedes(
        store.objects[$0].row, store.objects[$1].row, store.rows, store.actors.ranks)
    }
    for slot in [0] + slots {
      let rows = gathered[starts[slot]..<starts[slot + 1]]
      if store.objects[slot].kind.isSequence {
        writeSequence(slot, updates: rows)
      } else {
        writeMap(rows, keyRanks)
      }
    }
  }

  private func isGathered(_ row: OperationRow) -> Bool {
    row.action != Action.delete && !row.isInsert
  }

  /// By key index: the place among all keys in byte order.
  private func keyRanks() -> [UInt32] {
    let sorted = store.keys.ranges.indices.sorted {
      store.contents[store.keys.ranges[$0].range]
        .lexicographicallyPrecedes(store.contents[store.keys.ranges[$1].range])
    }
    var ranks = [UInt32](repeating: 0, count: sorted.count)
    for (rank, index) in sorted.enumerated() { ranks[index] = UInt32(rank) }
    return ranks
  }

  private mutating func writeMap(_ rows: ArraySlice<UInt32>, _ keyRanks: [UInt32]) {
    let sorted = rows.sorted { left, right in
      let first = keyRanks[Int(store.rows[Int(left)].key)]
      let second = keyRanks[Int(store.rows[Int(right)].key)]
      if first != second { return first < second }
      return LamportOrder.precedes(left, right, store.rows, store.actors.ranks)
    }
    for row in sorted { write(row) }
  }

  /// Each element, followed by what was written to it later.
  private mutating func writeSequence(_ slot: Int, updates: ArraySlice<UInt32>) {
    var updatesOfElement: [UInt32: [UInt32]] = [:]
    for row in updates { updatesOfElement[store.rows[Int(row)].key, default: []].append(row) }
    var elements: [UInt32] = []
    store.trees.forEach(store.objects[slot].sequence) { row, _ in
      elements.append(row)
      return true
    }
    for element in elements {
      write(element)
      guard !updatesOfElement.isEmpty, let updates = updatesOfElement[element] else { continue }
      let sorted = updates.sorted {
        LamportOrder.precedes($0, $1, store.rows, store.actors.ranks)
      }
      for row in sorted { write(row) }
    }
  }

  private func local(_ row: UInt32) -> LocalID {
    let operation = store.rows[Int(row)]
    return LocalID(
      actor: actorIndexes[Int(operation.actor)], counter: operation.counter)
  }

  private mutating func write(_ index: UInt32) {
    let row = store.rows[Int(index)]
    let object = store.objects[Int(row.object)]
    var operation = ChangeOperation()
    if row.object != Store.rootSlot { operation.object = local(object.row) }
    if !object.kind.isSequence {
      operation.key = store.keys.ranges[Int(row.key)]
    } else {
      operation.element = row.key == OperationRow.head ? .head : local(row.key)
    }
    operation.action = row.action
    operation.valueCode = row.valueCode
    operation.value = row.value
    operation.isInsert = row.isInsert
    operation.expands = row.flags.contains(.expands)
    if row.action == Action.mark { operation.markName = store.markNames[index] ?? .none }
    let range = Int(successorStarts[Int(index)])..<Int(successorStarts[Int(index) + 1])
    writer.append(id: local(index))
    writer.append(operation, references: successors[range].map(local)[...], from: store.contents)
  }
}
