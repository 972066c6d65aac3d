// A change, decoded: header and operations, named by the change's own actor table. Decoding admits
// only bytes that encoding gives back.

struct ChangeContents {
  /// What the ranges point into.
  var source: [UInt8] = []
  var dependencies: [ChangeHash] = []
  /// The author, and then the other actors in ascending order.
  var actors: [[UInt8]] = []
  var sequence: UInt64 = 0
  var startCounter: UInt32 = 0
  var time: Int64 = 0
  var message = ByteRange(start: 0, count: 0)
  var operations: [ChangeOperation] = []
  var predecessors: [LocalID] = []
  var extra = ByteRange(start: 0, count: 0)
}

extension ChangeContents {
  /// Decodes the contents of a change chunk, and refuses all that would not be written this way.
  init(_ bytes: [UInt8], _ range: Range<Int>, limits: Limits) throws(AutomergeError) {
    source = bytes
    var reader = ByteReader(bytes, range)
    try readHeader(&reader, limits: limits)
    var layout = try ColumnLayout(
      &reader, known: Column.ofChangeOperations, allowingDeflate: false)
    try layout.takeData(&reader, limits: limits)
    extra = ByteRange(
      start: UInt32(reader.position), count: UInt32(reader.end - reader.position))

    var rows = try OperationReader(
      layout, ofDocument: false, actorCount: actors.count, limits: limits)
    guard UInt64(startCounter) - 1 + UInt64(rows.rowCount) <= UInt32.max - 1 else {
      throw AutomergeError(.counterTooLarge)
    }
    operations.reserveCapacity(rows.rowCount)
    for row in 0..<rows.rowCount {
      operations.append(try rows.next(row: row))
    }
    predecessors = rows.references
    try rows.checkEnd()
    try checkActors()
    try checkPredecessorOrder()
    var encoder = ChangeEncoder()
    encoder.encode(self)
    guard bytes[range].elementsEqual(encoder.contents) else {
      throw AutomergeError(.notCanonical)
    }
  }

  private mutating func readHeader(
    _ reader: inout ByteReader, limits: Limits
  ) throws(AutomergeError) {
    let dependencyCount = try reader.count(ofAtLeast: ChangeHash.byteCount)
    guard dependencyCount <= limits.dependencyCountPerChangeMax else {
      throw reader.error(.limitReached)
    }
    for _ in 0..<dependencyCount {
      let hash = ChangeHash(source[try reader.take(UInt64(ChangeHash.byteCount))])!
      if let last = dependencies.last, hash <= last { throw reader.error(.dependencyOrder) }
      dependencies.append(hash)
    }
    actors.append(try readActor(&reader, limits: limits))
    sequence = try reader.unsigned()
    guard sequence > 0 else { throw reader.error(.sequenceZero) }
    let start = try reader.unsigned()
    guard start > 0 else { throw reader.error(.counterZero) }
    guard start <= UInt32.max else { throw reader.error(.counterTooLarge) }
    startCounter = UInt32(start)
    time = try reader.signed()
    message = try reader.text()
    let otherCount = try reader.count(ofAtLeast: 2)
    guard otherCount < limits.actorCountMax else { throw reader.error(.limitReached) }
    for _ in 0..<otherCount {
      let actor = try readActor(&reader, limits: limits)
      if actors.count > 1, !actors[actors.count - 1].lexicographicallyPrecedes(actor) {
        throw reader.error(.actorOrder)
      }
      if actor == actors[0] { throw reader.error(.actorOrder) }
      actors.append(actor)
    }
  }

  /// The actor table holds the author, and exactly those others whom operations name.
  private func checkActors() throws(AutomergeError) {
    guard actors.count > 1 else { return }
    var isNamed = [Bool](repeating: false, count: actors.count)
    isNamed[0] = true
    func name(_ id: LocalID) { if id.actor != .max { isNamed[Int(id.actor)] = true } }
    for operation in operations {
      name(operation.object)
      name(operation.element)
    }
    for predecessor in predecessors { name(predecessor) }
    guard !isNamed.contains(false) else { throw AutomergeError(.actorOrder) }
  }

  private func checkPredecessorOrder() throws(AutomergeError) {
    for (row, operation) in operations.enumerated() where operation.referenceCount > 0 {
      guard !operation.isInsert else { throw AutomergeError(.badInsertion, .init(row: row)) }
      let start = Int(operation.referenceStart)
      for index in start..<start + Int(operation.referenceCount) - 1 {
        guard precedes(predecessors[index], predecessors[index + 1]) else {
          throw AutomergeError(.badPredecessor, .init(row: row))
        }
      }
    }
  }

  private func precedes(_ left: LocalID, _ right: LocalID) -> Bool {
    if left.counter != right.counter { return left.counter < right.counter }
    return actors[Int(left.actor)].lexicographicallyPrecedes(actors[Int(right.actor)])
  }

  private func readActor(
    _ reader: inout ByteReader, limits: Limits
  ) throws(AutomergeError) -> [UInt8] {
    let range = try reader.lengthPrefixed()
    guard range.count > 0 else { throw reader.error(.actorEmpty) }
    guard range.count <= limits.actorByteCountMax else { throw reader.error(.limitReached) }
    return Array(source[range.range])
  }
}
