// Which columns there are, and where the data of each stands.

/// The specification of a column: id, DEFLATE bit, type. The names say what the rows hold.
enum Column {
  static let objectActor: UInt32 = 1
  static let objectCounter: UInt32 = 2
  static let keyActor: UInt32 = 17
  static let keyCounter: UInt32 = 19
  static let keyText: UInt32 = 21
  static let idActor: UInt32 = 33
  static let idCounter: UInt32 = 35
  static let insert: UInt32 = 52
  static let action: UInt32 = 66
  static let valueMetadata: UInt32 = 86
  static let value: UInt32 = 87
  static let predecessorGroup: UInt32 = 112
  static let predecessorActor: UInt32 = 113
  static let predecessorCounter: UInt32 = 115
  static let successorGroup: UInt32 = 128
  static let successorActor: UInt32 = 129
  static let successorCounter: UInt32 = 131
  static let expand: UInt32 = 148
  static let markName: UInt32 = 165

  static let changeActor: UInt32 = 1
  static let changeSequence: UInt32 = 3
  static let changeMaxOperation: UInt32 = 19
  static let changeTime: UInt32 = 35
  static let changeMessage: UInt32 = 53
  static let changeDependencyGroup: UInt32 = 64
  static let changeDependencyIndex: UInt32 = 67
  static let changeExtraMetadata: UInt32 = 86
  static let changeExtra: UInt32 = 87

  static let deflateBit: UInt32 = 8

  static let ofChangeOperations: [UInt32] = [
    objectActor, objectCounter, keyActor, keyCounter, keyText, insert, action, valueMetadata, value,
    predecessorGroup, predecessorActor, predecessorCounter, expand, markName,
  ]
  static let ofDocumentOperations: [UInt32] = [
    objectActor, objectCounter, keyActor, keyCounter, keyText, idActor, idCounter, insert, action,
    valueMetadata, value, successorGroup, successorActor, successorCounter, expand, markName,
  ]
  static let ofDocumentChanges: [UInt32] = [
    changeActor, changeSequence, changeMaxOperation, changeTime, changeMessage,
    changeDependencyGroup, changeDependencyIndex, changeExtraMetadata, changeExtra,
  ]
}

/// The column metadata of a chunk: which columns follow, in which order, and how long they are.
struct ColumnLayout {
  private struct Entry {
    var specification: UInt32
    var byteCount: UInt64
    var range = 0..<0
  }

  private var entries: [Entry] = []
  /// The bytes that hold the columns; those that were deflated stand at the end.
  private(set) var bytes: [UInt8]

  /// Reads the metadata. The columns must be `known` ones in ascending order.
  init(
    _ reader: inout ByteReader, known: [UInt32], allowingDeflate: Bool
  ) throws(AutomergeError) {
    bytes = reader.bytes
    let count = try reader.count(ofAtLeast: 2)
    entries.reserveCapacity(count)
    var previous: UInt32?
    for _ in 0..<count {
      let place = reader.position
      let number = try reader.unsigned()
      guard let specification = UInt32(exactly: number) else {
        throw AutomergeError(.numberTooLarge, .init(byteOffset: place))
      }
      func refusal(_ reason: AutomergeError.Reason) -> AutomergeError {
        AutomergeError(reason, .init(byteOffset: place, column: specification))
      }
      let plain = specification & ~Column.deflateBit
      if let previous, plain <= previous { throw refusal(.columnOrder) }
      if plain == Column.value, previous != Column.valueMetadata {
        throw refusal(.valueWithoutMetadata)
      }
      if plain != specification, !allowingDeflate { throw refusal(.compressedColumn) }
      guard known.contains(plain) else { throw refusal(.unknownColumn) }
      previous = plain
      entries.append(Entry(specification: specification, byteCount: try reader.unsigned()))
    }
  }

  /// Finds the data of the columns, which stand end to end at the reader's position, and inflates
  /// those that are deflated.
  mutating func takeData(_ reader: inout ByteReader, limits: Limits) throws(AutomergeError) {
    for index in entries.indices {
      entries[index].range = try reader.take(entries[index].byteCount)
    }
    var inflatedByteCount = 0
    for index in entries.indices
    where entries[index].specification & Column.deflateBit != 0 {
      let data: [UInt8]
      do {
        data = try inflated(reader.bytes, entries[index].range, limits: limits)
      } catch {
        var told = error
        told.place.column = entries[index].specification
        throw told
      }
      inflatedByteCount += data.count
      guard inflatedByteCount <= limits.chunkByteCountMax else {
        throw AutomergeError(.limitReached, .init(column: entries[index].specification))
      }
      entries[index].range = bytes.count..<bytes.count + data.count
      bytes.append(contentsOf: data)
      entries[index].specification &= ~Column.deflateBit
    }
  }

  /// The data of a column, empty if it is absent.
  func range(_ specification: UInt32) -> Range<Int> {
    for entry in entries where entry.specification == specification { return entry.range }
    return 0..<0
  }
}
