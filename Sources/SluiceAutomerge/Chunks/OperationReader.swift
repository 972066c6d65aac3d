// Reads the operation columns of a change or a document, row by row. All columns advance together,
// so a run that promises more rows than the action column costs nothing.

struct OperationReader {
  private let bytes: [UInt8]
  private let actorCount: UInt32

  private var objectActor: RunReader<UInt64>
  private var objectCounter: RunReader<UInt64>
  private var keyActor: RunReader<UInt64>
  private var keyCounter: DeltaReader
  private var keyText: RunReader<ByteRange>
  private var idActor: RunReader<UInt64>
  private var idCounter: DeltaReader
  private var insert: BooleanReader
  private var action: RunReader<UInt64>
  private var valueMetadata: RunReader<UInt64>
  private var valueStart: Int
  private let valueEnd: Int
  private var referenceGroup: RunReader<UInt64>
  private var referenceActor: RunReader<UInt64>
  private var referenceCounter: DeltaReader
  private var expand: BooleanReader
  private var markName: RunReader<ByteRange>

  /// Predecessors or successors of the rows read so far.
  private(set) var references: [LocalID] = []
  let rowCount: Int
  private let referenceCountMax: Int

  /// The references are predecessors in a change and successors in a document.
  init(
    _ layout: ColumnLayout, ofDocument: Bool, actorCount: Int, limits: Limits
  ) throws(AutomergeError) {
    bytes = layout.bytes
    self.actorCount = UInt32(actorCount)
    objectActor = RunReader(bytes, layout.range(Column.objectActor))
    objectCounter = RunReader(bytes, layout.range(Column.objectCounter))
    keyActor = RunReader(bytes, layout.range(Column.keyActor))
    keyCounter = DeltaReader(bytes, layout.range(Column.keyCounter))
    keyText = RunReader(bytes, layout.range(Column.keyText))
    idActor = RunReader(bytes, ofDocument ? layout.range(Column.idActor) : 0..<0)
    idCounter = DeltaReader(bytes, ofDocument ? layout.range(Column.idCounter) : 0..<0)
    insert = BooleanReader(bytes, layout.range(Column.insert))
    action = RunReader(bytes, layout.range(Column.action))
    valueMetadata = RunReader(bytes, layout.range(Column.valueMetadata))
    let values = layout.range(Column.value)
    valueStart = values.lowerBound
    valueEnd = values.upperBound
    let group = ofDocument ? Column.successorGroup : Column.predecessorGroup
    let actor = ofDocument ? Column.successorActor : Column.predecessorActor
    let counter = ofDocument ? Column.successorCounter : Column.predecessorCounter
    referenceGroup = RunReader(bytes, layout.range(group))
    referenceActor = RunReader(bytes, layout.range(actor))
    referenceCounter = DeltaReader(bytes, layout.range(counter))
    expand = BooleanReader(bytes, layout.range(Column.expand))
    markName = RunReader(bytes, layout.range(Column.markName))

    let count = try action.countOfItems()
    let countMax = ofDocument ? limits.operationCountMax : limits.operationCountPerChangeMax
    guard count <= UInt64(countMax) else {
      throw AutomergeError(.limitReached, .init(column: Column.action))
    }
    rowCount = Int(count)
    referenceCountMax = countMax
  }

  mutating func next(row: Int) throws(AutomergeError) -> ChangeOperation {
    var operation = ChangeOperation()
    do throws(AutomergeError) {
      operation.action = try nextAction()
      operation.object = try nextObject()
      operation.isInsert = try insert.next()
      try readKey(into: &operation)
      try readValue(into: &operation)
      try readReferences(into: &operation)
      operation.expands = try expand.next()
      operation.markName = try markName.next() ?? .none
    } catch {
      var told = error
      told.place.row = row
      throw told
    }
    do throws(AutomergeError.Reason) {
      try operation.check()
    } catch {
      throw AutomergeError(error, .init(row: row))
    }
    return operation
  }

  /// The id of a document's row.
  mutating func nextID(row: Int) throws(AutomergeError) -> LocalID {
    guard let actor = try idActor.next(), let counter = try idCounter.nextCounter() else {
      throw AutomergeError(.missingValue, .init(column: Column.idCounter, row: row))
    }
    guard counter > 0 else {
      throw AutomergeError(.counterZero, .init(column: Column.idCounter, row: row))
    }
    return LocalID(actor: try checkedActor(actor, Column.idActor), counter: counter)
  }

  /// Refuses columns that hold more than the rows took. The booleans may: older writers pad them.
  func checkEnd() throws(AutomergeError) {
    func check(_ isAtEnd: Bool, _ column: UInt32) throws(AutomergeError) {
      if !isAtEnd { throw AutomergeError(.columnLength, .init(column: column)) }
    }
    try check(objectActor.isAtEnd, Column.objectActor)
    try check(objectCounter.isAtEnd, Column.objectCounter)
    try check(keyActor.isAtEnd, Column.keyActor)
    try check(keyCounter.isAtEnd, Column.keyCounter)
    try check(keyText.isAtEnd, Column.keyText)
    try check(idActor.isAtEnd, Column.idActor)
    try check(idCounter.isAtEnd, Column.idCounter)
    try check(valueMetadata.isAtEnd, Column.valueMetadata)
    try check(valueStart == valueEnd, Column.value)
    try check(referenceGroup.isAtEnd, Column.successorGroup)
    try check(referenceActor.isAtEnd, Column.successorActor)
    try check(referenceCounter.isAtEnd, Column.successorCounter)
    try check(markName.isAtEnd, Column.markName)
  }

  private func checkedActor(_ actor: UInt64, _ column: UInt32) throws(AutomergeError) -> UInt32 {
    guard actor < actorCount else { throw AutomergeError(.actorIndex, .init(column: column)) }
    return UInt32(actor)
  }

  private mutating func nextAction() throws(AutomergeError) -> UInt8 {
    guard let number = try action.next() else {
      throw AutomergeError(.missingValue, .init(column: Column.action))
    }
    guard number <= UInt64(Action.mark) else {
      throw AutomergeError(.unknownAction, .init(column: Column.action))
    }
    return UInt8(number)
  }

  private mutating func nextObject() throws(AutomergeError) -> LocalID {
    let actor = try objectActor.next()
    let counter = try objectCounter.next()
    switch (actor, counter) {
    case (nil, nil): return .none
    case (let actor?, let counter?):
      guard counter <= UInt32.max else {
        throw AutomergeError(.counterTooLarge, .init(column: Column.objectCounter))
      }
      guard counter > 0 else { break }
      return LocalID(
        actor: try checkedActor(actor, Column.objectActor), counter: UInt32(counter))
    default: break
    }
    throw AutomergeError(.badObject, .init(column: Column.objectActor))
  }

  private mutating func readKey(into operation: inout ChangeOperation) throws(AutomergeError) {
    let actor = try keyActor.next()
    let counter = try keyCounter.nextCounter()
    let text = try keyText.next()
    switch (actor, counter, text) {
    case (nil, nil, let text?): operation.key = text
    case (nil, 0?, nil): operation.element = .head
    case (let actor?, let counter?, nil) where counter > 0:
      operation.element = LocalID(
        actor: try checkedActor(actor, Column.keyActor), counter: counter)
    default: throw AutomergeError(.badKey, .init(column: Column.keyText))
    }
  }

  private mutating func readValue(into operation: inout ChangeOperation) throws(AutomergeError) {
    let metadata = try valueMetadata.next() ?? 0
    let byteCount = metadata >> 4
    guard byteCount <= UInt64(valueEnd - valueStart) else {
      throw AutomergeError(.truncated, .init(column: Column.value))
    }
    let range = valueStart..<valueStart + Int(byteCount)
    valueStart = range.upperBound
    operation.valueCode = UInt8(metadata & 15)
    operation.value = ByteRange(start: UInt32(range.lowerBound), count: UInt32(range.count))
    do {
      try checkValue(code: operation.valueCode, bytes, range)
    } catch {
      var told = error
      told.place.column = Column.value
      if told.reason == .truncated { told.reason = .badValue }
      throw told
    }
  }

  private mutating func readReferences(
    into operation: inout ChangeOperation
  ) throws(AutomergeError) {
    let count = try referenceGroup.next() ?? 0
    operation.referenceStart = UInt32(references.count)
    guard count <= UInt64(referenceCountMax - references.count) else {
      throw AutomergeError(.limitReached, .init(column: Column.predecessorGroup))
    }
    var remaining = count
    while remaining > 0 {
      guard let actor = try referenceActor.next(), let counter = try referenceCounter.nextCounter()
      else {
        throw AutomergeError(.missingValue, .init(column: Column.predecessorGroup))
      }
      guard counter > 0 else {
        throw AutomergeError(.counterZero, .init(column: Column.predecessorCounter))
      }
      references.append(
        LocalID(actor: try checkedActor(actor, Column.predecessorActor), counter: counter))
      remaining -= 1
    }
    operation.referenceCount = UInt32(references.count) - operation.referenceStart
  }
}
