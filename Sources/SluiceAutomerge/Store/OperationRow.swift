// One operation in memory: 36 bytes, named by its row. Rows stand in order of application, so the
// operations of a change are neighbours, and whatever a row names stands before it.

struct OperationRow: Sendable {
  var counter: UInt32
  var actor: UInt32
  /// A slot of `Store.objects`.
  var object: UInt32
  /// In a map: the index of the key. In a sequence: the row of the element that is acted on, or
  /// after which this one is inserted; `OperationRow.head` is the beginning.
  var key: UInt32
  /// `noPredecessor`, a row, or a place of `Store.predecessorLists` with `listBit`.
  var predecessors: UInt32 = noPredecessor
  /// The leaf of the sequence tree in which this element stands.
  var place: UInt32 = 0
  /// Of a make operation: the slot of its object. Otherwise where the value stands in the contents.
  var valueStart: UInt32 = 0
  var valueByteCount: UInt32 = 0
  var action: UInt8
  var valueCode: UInt8
  var flags: Flags = []

  struct Flags: OptionSet, Sendable {
    let rawValue: UInt8
    static let insert = Flags(rawValue: 1)
    static let expands = Flags(rawValue: 2)
    /// A later operation took its place; it is no value of its key or element any more.
    static let overwritten = Flags(rawValue: 4)
    /// An element whose values stand in `Store.elementRegisters`.
    static let hasRegister = Flags(rawValue: 8)
  }

  static let head = UInt32.max
  static let noPredecessor = UInt32.max
  static let listBit = UInt32(1) << 31

  var isInsert: Bool { flags.contains(.insert) }
  var isOverwritten: Bool { flags.contains(.overwritten) }
  var value: ByteRange {
    Action.makesObject(action)
      ? ByteRange(start: 0, count: 0) : ByteRange(start: valueStart, count: valueByteCount)
  }
  var isCounter: Bool { action == Action.set && valueCode == ValueCode.counter }
  /// Whether it can be the value of a key or element.
  var isValue: Bool { action == Action.set || Action.makesObject(action) }
}

/// Lamport's order of rows: counters first, then actors by their ranks.
enum LamportOrder {
  static func precedes(
    _ left: UInt32, _ right: UInt32, _ rows: [OperationRow], _ ranks: [UInt32]
  ) -> Bool {
    let leftCounter = rows[Int(left)].counter
    let rightCounter = rows[Int(right)].counter
    if leftCounter != rightCounter { return leftCounter < rightCounter }
    return ranks[Int(rows[Int(left)].actor)] < ranks[Int(rows[Int(right)].actor)]
  }
}
