// Writes the contents of change chunks, in the one form that is admitted.

struct ChangeEncoder {
  private var writer = OperationWriter()
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
    contents.append(lengthPrefixed: change.source[change.message.range])
    contents.append(unsigned: UInt64(change.actors.count - 1))
    for actor in change.actors.dropFirst() { contents.append(lengthPrefixed: actor) }
    encodeOperations(of: change)
    contents.append(contentsOf: change.source[change.extra.range])
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
    metadata.removeAll(keepingCapacity: true)
    data.removeAll(keepingCapacity: true)
    var columnCount: UInt64 = 0
    writer.finish(ofDocument: false, from: change.source) { column, bytes in
      columnCount += 1
      metadata.append(unsigned: UInt64(column))
      metadata.append(unsigned: UInt64(bytes.count))
      data.append(contentsOf: bytes)
    }
    contents.append(unsigned: columnCount)
    contents.append(contentsOf: metadata)
    contents.append(contentsOf: data)
  }
}
