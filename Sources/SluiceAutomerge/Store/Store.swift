// A document in memory. What is admitted is appended to tables that only grow: contents, keys,
// actors, rows, objects, changes. What follows from them, the values that are visible and the order of
// sequences, is kept in step by `Store+Effects`.
//
// A batch is first admitted as a whole, which changes the tables' ends only and may fail; then it
// takes effect, which cannot fail. So a refused batch is cut off again, and nothing has changed.

package struct Store: Sendable {
  var limits: Limits
  package var actors = ActorTable()
  /// The bytes of keys, values, messages and extra bytes.
  var contents: [UInt8] = []
  var keys = KeyTable()
  var rows: [OperationRow] = []
  /// Predecessors of rows that have several: their number, then their rows.
  var predecessorLists: [UInt32] = []
  /// The names of the marks that rows begin.
  var markNames: [UInt32: ByteRange] = [:]
  var objects: [ObjectRecord] = [ObjectRecord(row: .max, kind: .map, depth: 0)]
  var changes = ChangeTable()
  var clocks = ClockTable()

  var trees = SequenceTrees()
  /// Elements that were written again: their visible operations.
  var elementRegisters: [UInt32: Register] = [:]
  /// Sums of the increments of counters, by row.
  var increments: [UInt32: Int64] = [:]

  init(limits: Limits) { self.limits = limits.clamped }

  /// An object, and what is visible in it.
  struct ObjectRecord: Sendable {
    /// The operation that made it; `.max` for the root.
    var row: UInt32
    var kind: ObjectKind
    /// How many objects contain it.
    var depth: UInt32
    /// By key index.
    var map: [UInt32: Register] = [:]
    var sequence = SequenceRoot()
  }

  static let rootSlot: UInt32 = 0

  // MARK: Finding

  /// The row with this id.
  func row(counter: UInt32, actor: UInt32) -> UInt32? {
    guard let change = change(counter: counter, actor: actor) else { return nil }
    let record = changes[change]
    return record.firstRow + (counter - record.startCounter)
  }

  /// The change that holds the operation with this id.
  func change(counter: UInt32, actor: UInt32) -> UInt32? {
    let own = actors.changes[Int(actor)]
    guard let last = own.last else { return nil }
    var found = last
    if changes[last].startCounter > counter {
      // The first change that begins behind the counter.
      var low = 0
      var high = own.count - 1
      while low < high {
        let middle = (low + high) / 2
        if changes[own[middle]].startCounter > counter { high = middle } else { low = middle + 1 }
      }
      guard low > 0 else { return nil }
      found = own[low - 1]
    }
    let record = changes[found]
    guard counter >= record.startCounter, counter - record.startCounter < record.operationCount
    else { return nil }
    return found
  }

  func predecessors(of row: OperationRow) -> [UInt32] {
    if row.predecessors == OperationRow.noPredecessor { return [] }
    if row.predecessors & OperationRow.listBit == 0 { return [row.predecessors] }
    let start = Int(row.predecessors & ~OperationRow.listBit)
    return Array(predecessorLists[start + 1..<start + 1 + Int(predecessorLists[start])])
  }

  mutating func keep(predecessors: some Collection<UInt32>) -> UInt32 {
    guard let first = predecessors.first else { return OperationRow.noPredecessor }
    if predecessors.count == 1 { return first }
    let start = UInt32(predecessorLists.count)
    predecessorLists.append(UInt32(predecessors.count))
    predecessorLists.append(contentsOf: predecessors)
    return start | OperationRow.listBit
  }

  /// The element on which a row of a sequence acts.
  func element(of row: UInt32) -> UInt32 {
    rows[Int(row)].isInsert ? row : rows[Int(row)].key
  }

  func id(of row: UInt32) -> OperationID {
    let operation = rows[Int(row)]
    return OperationID(
      counter: operation.counter, actor: ActorID(actors.names[Int(operation.actor)])!)
  }

  func objectID(_ slot: UInt32) -> ObjectID {
    slot == Self.rootSlot ? .root : .made(id(of: objects[Int(slot)].row))
  }

  /// The row of an operation that a caller names.
  func row(of id: OperationID) -> UInt32? {
    guard let actor = actors.index(of: id.actor.bytes) else { return nil }
    return row(counter: id.counter, actor: actor)
  }

  func slot(of object: ObjectID) -> UInt32? {
    guard case .made(let id) = object else { return Self.rootSlot }
    guard let row = row(of: id), Action.makesObject(rows[Int(row)].action) else { return nil }
    return rows[Int(row)].valueStart
  }

  mutating func appendContents(_ bytes: ArraySlice<UInt8>) -> ByteRange {
    let range = ByteRange(start: UInt32(contents.count), count: UInt32(bytes.count))
    contents.append(contentsOf: bytes)
    return range
  }
}
