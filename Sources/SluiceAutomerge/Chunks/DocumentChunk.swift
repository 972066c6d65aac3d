// The parts of a document chunk, as they stand in the bytes.

struct DocumentChunk {
  /// Ascending.
  var actors: [[UInt8]] = []
  /// Ascending.
  var heads: [ChangeHash] = []
  /// For each head the row of its change; nil where an older writer left them out.
  var headIndexes: [UInt64]?
  var changeColumns: ColumnLayout
  var operationColumns: ColumnLayout

  init(_ chunk: Chunk, limits: Limits) throws(AutomergeError) {
    var reader = ByteReader(chunk.bytes, chunk.contents)
    let actorCount = try reader.count(ofAtLeast: 2)
    guard actorCount <= limits.actorCountMax else { throw reader.error(.limitReached) }
    for _ in 0..<actorCount {
      let range = try reader.lengthPrefixed()
      guard range.count > 0 else { throw reader.error(.actorEmpty) }
      guard range.count <= limits.actorByteCountMax else { throw reader.error(.limitReached) }
      let actor = Array(chunk.bytes[range.range])
      if let last = actors.last, !last.lexicographicallyPrecedes(actor) {
        throw reader.error(.actorOrder)
      }
      actors.append(actor)
    }
    let headCount = try reader.count(ofAtLeast: ChangeHash.byteCount)
    for _ in 0..<headCount {
      let head = ChangeHash(chunk.bytes[try reader.take(UInt64(ChangeHash.byteCount))])!
      if let last = heads.last, head <= last { throw reader.error(.dependencyOrder) }
      heads.append(head)
    }
    changeColumns = try ColumnLayout(
      &reader, known: Column.ofDocumentChanges, allowingDeflate: true)
    operationColumns = try ColumnLayout(
      &reader, known: Column.ofDocumentOperations, allowingDeflate: true)
    try changeColumns.takeData(&reader, limits: limits)
    try operationColumns.takeData(&reader, limits: limits)
    guard !reader.isAtEnd else { return }
    var indexes: [UInt64] = []
    for _ in heads { indexes.append(try reader.unsigned()) }
    guard reader.isAtEnd else { throw reader.error(.trailingBytes) }
    headIndexes = indexes
  }
}

/// One row of a document's change columns.
struct DocumentChange {
  var actor: UInt32
  var sequence: UInt64
  var maxCounter: UInt32
  var time: Int64
  var message: ByteRange
  var extra: ByteRange
  /// Rows of earlier changes, in the order of the change's own list.
  var dependencies: [UInt32]
}

/// Reads the change columns of a document.
struct DocumentChangeReader {
  private let bytes: [UInt8]
  private let actorCount: Int
  private var actor: RunReader<UInt64>
  private var sequence: DeltaReader
  private var maxOperation: DeltaReader
  private var time: DeltaReader
  private var message: RunReader<ByteRange>
  private var dependencyGroup: RunReader<UInt64>
  private var dependencyIndex: DeltaReader
  private var extraMetadata: RunReader<UInt64>
  private var extraStart: Int
  private let extraEnd: Int
  private let limits: Limits
  let rowCount: Int

  init(_ layout: ColumnLayout, actorCount: Int, limits: Limits) throws(AutomergeError) {
    bytes = layout.bytes
    self.actorCount = actorCount
    self.limits = limits
    actor = RunReader(bytes, layout.range(Column.changeActor))
    sequence = DeltaReader(bytes, layout.range(Column.changeSequence))
    maxOperation = DeltaReader(bytes, layout.range(Column.changeMaxOperation))
    time = DeltaReader(bytes, layout.range(Column.changeTime))
    message = RunReader(bytes, layout.range(Column.changeMessage))
    dependencyGroup = RunReader(bytes, layout.range(Column.changeDependencyGroup))
    dependencyIndex = DeltaReader(bytes, layout.range(Column.changeDependencyIndex))
    extraMetadata = RunReader(bytes, layout.range(Column.changeExtraMetadata))
    let extra = layout.range(Column.changeExtra)
    extraStart = extra.lowerBound
    extraEnd = extra.upperBound
    let count = try actor.countOfItems()
    guard count <= UInt64(limits.changeCountMax) else {
      throw AutomergeError(.limitReached, .init(column: Column.changeActor))
    }
    rowCount = Int(count)
  }

  mutating func next(row: Int) throws(AutomergeError) -> DocumentChange {
    func refusal(_ reason: AutomergeError.Reason, _ column: UInt32) -> AutomergeError {
      AutomergeError(reason, .init(column: column, row: row))
    }
    guard let actor = try actor.next() else {
      throw refusal(.missingValue, Column.changeActor)
    }
    guard actor < UInt64(actorCount) else { throw refusal(.actorIndex, Column.changeActor) }
    guard let sequence = try sequence.next() else {
      throw refusal(.missingValue, Column.changeSequence)
    }
    guard sequence > 0 else { throw refusal(.sequenceZero, Column.changeSequence) }
    guard let maxCounter = try maxOperation.nextCounter() else {
      throw refusal(.missingValue, Column.changeMaxOperation)
    }
    let time = try time.next() ?? 0
    let message = try message.next() ?? ByteRange(start: 0, count: 0)
    var dependencies: [UInt32] = []
    var remaining = try dependencyGroup.next() ?? 0
    guard remaining <= UInt64(limits.dependencyCountPerChangeMax) else {
      throw refusal(.limitReached, Column.changeDependencyGroup)
    }
    while remaining > 0 {
      guard let index = try dependencyIndex.next() else {
        throw refusal(.missingValue, Column.changeDependencyIndex)
      }
      guard index >= 0, index < Int64(row), !dependencies.contains(UInt32(index)) else {
        throw refusal(.dependencyIndex, Column.changeDependencyIndex)
      }
      dependencies.append(UInt32(index))
      remaining -= 1
    }
    let metadata = try extraMetadata.next() ?? UInt64(ValueCode.bytes)
    guard metadata & 15 == UInt64(ValueCode.bytes), metadata >> 4 <= UInt64(extraEnd - extraStart)
    else { throw refusal(.badValue, Column.changeExtra) }
    let extra = ByteRange(start: UInt32(extraStart), count: UInt32(metadata >> 4))
    extraStart += Int(extra.count)
    return DocumentChange(
      actor: UInt32(actor), sequence: UInt64(sequence), maxCounter: maxCounter, time: time,
      message: message, extra: extra, dependencies: dependencies)
  }

  /// Refuses columns that hold more than the rows took.
  func checkEnd() throws(AutomergeError) {
    let isAtEnd =
      sequence.isAtEnd && maxOperation.isAtEnd && time.isAtEnd && message.isAtEnd
      && dependencyGroup.isAtEnd && dependencyIndex.isAtEnd && extraMetadata.isAtEnd
      && extraStart == extraEnd
    if !isAtEnd { throw AutomergeError(.columnLength, .init(column: Column.changeActor)) }
  }
}
