// Writes the contents of change chunks, in the one form that is admitted.

struct ChangeEncoder {
  private var writer = OperationWriter()
  private var columnCount: UInt64 = 0
  private var metadata: [UInt8] = []
  private var data: [UInt8] = []
  /// The contents that were encoded last.
  private(set) var contents: [UInt8] = []

  mutating func encode(_ change: ChangeContents) {
    contents.removeAll(keepingCapacity: true)
    contents.append(unsigned: UInt64(change.dependencies.count))
    for hash in change.dependencies { hash.append(to: &contents) }
    contents.append(lengthPrefixed: change.actors[0])
    contents.append(unsigned: change.sequence)
    contents.append(unsigned: UInt64(change.startCounter))
    contents.append(signed: change.time)
    contents.append(unsigned: UInt64(change.message.count))
    contents.append(change.message, of: change.source)
    contents.append(unsigned: UInt64(change.actors.count - 1))
    for actor in change.actors.dropFirst() { contents.append(lengthPrefixed: actor) }
    columnCount = 0
    metadata.removeAll(keepingCapacity: true)
    data.removeAll(keepingCapacity: true)
    if change.operations.count == 1, change.operations[0].referenceCount <= 1 {
      encodeLone(change.operations[0], of: change)
    } else {
      encodeOperations(of: change)
    }
    contents.append(unsigned: columnCount)
    contents.append(contentsOf: metadata)
    contents.append(contentsOf: data)
    contents.append(change.extra, of: change.source)
  }

  private mutating func encodeOperations(of change: ChangeContents) {
    writer.reset()
    for operation in change.operations {
      let start = Int(operation.referenceStart)
      writer.append(
        operation,
        references: change.predecessors[start..<start + Int(operation.referenceCount)],
        from: change.source)
    }
    writer.finish(ofDocument: false, from: change.source) { column, bytes in
      columnCount += 1
      metadata.append(unsigned: UInt64(column))
      metadata.append(unsigned: UInt64(bytes.count))
      data.append(contentsOf: bytes)
    }
  }

  // MARK: One operation

  /// The same columns as `encodeOperations` writes. Most changes hold one operation, and then each column
  /// is a literal of one item: no run is to be counted. That is a third of the time of loading such changes.
  private mutating func encodeLone(_ operation: ChangeOperation, of change: ChangeContents) {
    if operation.object != .none {
      appendLone(Column.objectActor, UInt64(operation.object.actor))
      appendLone(Column.objectCounter, UInt64(operation.object.counter))
    }
    if operation.key.isNone {
      if operation.element != .head {
        appendLone(Column.keyActor, UInt64(operation.element.actor))
      }
      appendLone(Column.keyCounter, signed: operation.element.counter)
    } else {
      appendLone(Column.keyText, operation.key, of: change.source)
    }
    appendColumn(Column.insert) { $0.append(lone: operation.isInsert) }
    appendLone(Column.action, UInt64(operation.action))
    appendLone(
      Column.valueMetadata, UInt64(operation.value.count) << 4 | UInt64(operation.valueCode))
    if operation.value.count > 0 {
      appendColumn(Column.value) { $0.append(operation.value, of: change.source) }
    }
    appendLone(Column.predecessorGroup, UInt64(operation.referenceCount))
    if operation.referenceCount > 0 {
      let predecessor = change.predecessors[Int(operation.referenceStart)]
      appendLone(Column.predecessorActor, UInt64(predecessor.actor))
      appendLone(Column.predecessorCounter, signed: predecessor.counter)
    }
    if operation.expands { appendColumn(Column.expand) { $0.append(lone: true) } }
    if !operation.markName.isNone {
      appendLone(Column.markName, operation.markName, of: change.source)
    }
  }

  @inline(__always)
  private mutating func appendColumn(_ column: UInt32, _ write: (inout [UInt8]) -> Void) {
    let start = data.count
    write(&data)
    columnCount += 1
    metadata.append(unsigned: UInt64(column))
    metadata.append(unsigned: UInt64(data.count - start))
  }

  private mutating func appendLone(_ column: UInt32, _ value: UInt64) {
    appendColumn(column) { bytes in
      bytes.append(signed: -1)
      bytes.append(unsigned: value)
    }
  }

  /// The first difference of a delta column is the number itself.
  private mutating func appendLone(_ column: UInt32, signed value: UInt32) {
    appendColumn(column) { bytes in
      bytes.append(signed: -1)
      bytes.append(signed: Int64(value))
    }
  }

  private mutating func appendLone(_ column: UInt32, _ text: ByteRange, of source: [UInt8]) {
    appendColumn(column) { bytes in
      bytes.append(signed: -1)
      bytes.append(unsigned: UInt64(text.count))
      bytes.append(text, of: source)
    }
  }
}

extension [UInt8] {
  /// A boolean column of one row: the runs of false and of true.
  fileprivate mutating func append(lone value: Bool) {
    if value { append(0) }
    append(1)
  }
}
