// A change as it was, from the rows: because only canonical changes are admitted, writing it again
// gives its bytes. So the store keeps no change bytes.

extension Store {
  /// The contents of a change, whose ranges point into the store's contents.
  func regenerated(_ index: UInt32, _ room: inout RegenerationRoom) {
    let record = changes[index]
    room.begin(actorCount: actors.count)
    room.change.source = contents
    room.change.dependencies.removeAll(keepingCapacity: true)
    for dependency in changes.dependencies(of: record) {
      room.change.dependencies.append(changes[dependency].hash)
    }
    room.change.sequence = UInt64(record.sequence)
    room.change.startCounter = record.startCounter
    room.change.time = record.time
    room.change.message = record.message
    room.change.extra = record.extra
    collectActors(record, &room)
    for row in record.rows { regenerate(UInt32(row), &room) }
  }

  /// The actor table: the author, then all others whom the operations name, ascending.
  private func collectActors(_ record: ChangeRecord, _ room: inout RegenerationRoom) {
    var others: [UInt32] = []
    func name(_ row: UInt32) {
      let actor = rows[Int(row)].actor
      if actor != record.actor, room.localIndexes[Int(actor)] == .max {
        room.localIndexes[Int(actor)] = 0
        others.append(actor)
      }
    }
    for index in record.rows {
      let row = rows[index]
      let object = objects[Int(row.object)]
      if row.object != Self.rootSlot { name(object.row) }
      if object.kind.isSequence, row.key != OperationRow.head { name(row.key) }
      if row.predecessors != OperationRow.noPredecessor {
        if row.predecessors & OperationRow.listBit == 0 {
          name(row.predecessors)
        } else {
          for predecessor in predecessors(of: row) { name(predecessor) }
        }
      }
    }
    if others.count > 1 {
      others.sort { actors.ranks[Int($0)] < actors.ranks[Int($1)] }
    }
    room.change.actors.removeAll(keepingCapacity: true)
    room.name(record.actor, actors.names[Int(record.actor)])
    for actor in others { room.name(actor, actors.names[Int(actor)]) }
  }

  private func regenerate(_ index: UInt32, _ room: inout RegenerationRoom) {
    let row = rows[Int(index)]
    let object = objects[Int(row.object)]
    var operation = ChangeOperation()
    if row.object != Self.rootSlot { operation.object = room.local(rows[Int(object.row)]) }
    if !object.kind.isSequence {
      operation.key = keys.ranges[Int(row.key)]
    } else if row.key == OperationRow.head {
      operation.element = .head
    } else {
      operation.element = room.local(rows[Int(row.key)])
    }
    operation.action = row.action
    operation.valueCode = row.valueCode
    operation.value = row.value
    operation.isInsert = row.isInsert
    operation.expands = row.flags.contains(.expands)
    if row.action == Action.mark { operation.markName = markNames[index] ?? .none }
    operation.referenceStart = UInt32(room.change.predecessors.count)
    if row.predecessors != OperationRow.noPredecessor {
      if row.predecessors & OperationRow.listBit == 0 {
        room.change.predecessors.append(room.local(rows[Int(row.predecessors)]))
      } else {
        for predecessor in predecessors(of: row) {
          room.change.predecessors.append(room.local(rows[Int(predecessor)]))
        }
      }
    }
    operation.referenceCount =
      UInt32(room.change.predecessors.count) - operation.referenceStart
    room.change.operations.append(operation)
  }

  /// The change as it travels. Its ranges point into bytes of its own, so that it does not hold the
  /// contents of the whole document.
  func change(at index: UInt32) -> Change {
    var room = RegenerationRoom()
    var encoder = ChangeEncoder()
    regenerated(index, &room)
    room.change.gatherSource()
    return Change(room.change, encodedBy: &encoder)
  }
}

/// Memory for regenerating one change after another.
struct RegenerationRoom {
  var change = ChangeContents()
  /// By actor of the document: its index in the change, or `.max`.
  fileprivate var localIndexes: [UInt32] = []
  fileprivate var named: [UInt32] = []

  fileprivate mutating func begin(actorCount: Int) {
    for actor in named { localIndexes[Int(actor)] = .max }
    named.removeAll(keepingCapacity: true)
    while localIndexes.count < actorCount { localIndexes.append(.max) }
    change.operations.removeAll(keepingCapacity: true)
    change.predecessors.removeAll(keepingCapacity: true)
  }

  /// Puts an actor into the change's table.
  fileprivate mutating func name(_ actor: UInt32, _ name: [UInt8]) {
    localIndexes[Int(actor)] = UInt32(change.actors.count)
    change.actors.append(name)
    named.append(actor)
  }

  fileprivate func local(_ row: OperationRow) -> LocalID {
    LocalID(actor: localIndexes[Int(row.actor)], counter: row.counter)
  }
}

extension ChangeContents {
  /// Copies what the ranges point to, and lets them point to the copy.
  mutating func gatherSource() {
    var gathered: [UInt8] = []
    let source = source
    func gather(_ range: inout ByteRange) {
      if range.isNone { return }
      let bytes = source[range.range]
      range = ByteRange(start: UInt32(gathered.count), count: UInt32(bytes.count))
      gathered.append(contentsOf: bytes)
    }
    gather(&message)
    gather(&extra)
    for index in operations.indices {
      gather(&operations[index].key)
      gather(&operations[index].value)
      gather(&operations[index].markName)
    }
    self.source = gathered
  }
}
