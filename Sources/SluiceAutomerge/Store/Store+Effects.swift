// What admitted operations do to what is visible. None of this can fail.

extension Store {
  /// Lets the rows take effect, in order.
  mutating func takeEffect(_ range: Range<Int>) {
    for index in range {
      let row = UInt32(index)
      let element = applyToRegister(row)
      if rows[index].isInsert {
        insertElement(row)
      } else if let element {
        updateWidth(of: element)
      }
    }
  }

  /// Changes the register on which the row acts. Gives the element whose value may have changed.
  mutating func applyToRegister(_ index: UInt32) -> UInt32? {
    let row = rows[Int(index)]
    guard row.action != Action.mark else { return nil }
    let isSequence = isSequence(row.object)
    if row.predecessors != OperationRow.noPredecessor {
      if row.predecessors & OperationRow.listBit == 0 {
        succeed(row.predecessors, by: row, isSequence)
      } else {
        for predecessor in predecessors(of: row) { succeed(predecessor, by: row, isSequence) }
      }
    }
    if row.isValue, !row.isInsert {
      if isSequence {
        openRegister(of: row.key)
        elementRegisters[row.key, default: Register()].insert(index, rows, actors.ranks)
      } else {
        objects[Int(row.object)].map[row.key, default: Register()].insert(
          index, rows, actors.ranks)
      }
    }
    return isSequence && !row.isInsert ? row.key : nil
  }

  /// An increment adds to a counter; whatever else names a predecessor takes its place.
  private mutating func succeed(_ predecessor: UInt32, by row: OperationRow, _ isSequence: Bool) {
    let other = rows[Int(predecessor)]
    if row.action == Action.increment, other.isCounter {
      increments[predecessor, default: 0] &+= amount(of: row)
      return
    }
    guard !other.isOverwritten else { return }
    rows[Int(predecessor)].flags.insert(.overwritten)
    if isSequence {
      let element = other.isInsert ? predecessor : other.key
      if rows[Int(element)].flags.contains(.hasRegister) {
        elementRegisters[element]?.remove(predecessor)
      }
    } else {
      objects[Int(other.object)].map[other.key]?.remove(predecessor)
      if objects[Int(other.object)].map[other.key]?.isEmpty == true {
        objects[Int(other.object)].map[other.key] = nil
      }
    }
  }

  /// What an increment adds. Unsigned amounts wrap.
  func amount(of row: OperationRow) -> Int64 {
    if row.valueCode == ValueCode.unsigned {
      return Int64(bitPattern: checkedUnsigned(contents, row.value.range))
    }
    return checkedSigned(contents, row.value.range)
  }

  /// An element that is written again keeps its visible operations in a register of its own.
  private mutating func openRegister(of element: UInt32) {
    guard !rows[Int(element)].flags.contains(.hasRegister) else { return }
    rows[Int(element)].flags.insert(.hasRegister)
    elementRegisters[element] =
      rows[Int(element)].isOverwritten ? Register() : Register(element)
  }

  private mutating func insertElement(_ row: UInt32) {
    let slot = Int(rows[Int(row)].object)
    let width = width(of: row)
    let reference = rows[Int(row)].key
    trees.insert(
      row, width: width, after: reference, into: &objects[slot].sequence, &rows, actors.ranks)
  }

  private mutating func updateWidth(of element: UInt32) {
    let slot = Int(rows[Int(element)].object)
    let width = width(of: element)
    trees.setWidth(
      width, of: element, leaf: rows[Int(element)].place, in: &objects[slot].sequence)
  }

  /// How many indexes an element takes: scalars of a text, one in a list, none if it is deleted.
  func width(of element: UInt32) -> UInt32 {
    guard let winner = winner(of: element) else { return 0 }
    let row = rows[Int(winner)]
    guard objects[Int(row.object)].kind == .text else { return 1 }
    return textWidth(of: row)
  }

  /// The scalars of a text element. Whatever is no string counts as one.
  func textWidth(of row: OperationRow) -> UInt32 {
    guard row.action == Action.set, row.valueCode == ValueCode.text else { return 1 }
    if row.valueByteCount == 1 { return 1 }
    var count: UInt32 = 0
    for byte in contents[row.value.range] where byte & 0xc0 != 0x80 { count += 1 }
    return count
  }

  /// The operation whose value an element has.
  func winner(of element: UInt32) -> UInt32? {
    let row = rows[Int(element)]
    if row.flags.contains(.hasRegister) { return elementRegisters[element]?.winner }
    return row.isOverwritten || !row.isValue ? nil : element
  }

  /// What is visible at an element.
  func register(ofElement element: UInt32) -> Register {
    let row = rows[Int(element)]
    if row.flags.contains(.hasRegister) { return elementRegisters[element] ?? Register() }
    return row.isOverwritten || !row.isValue ? Register() : Register(element)
  }

  // MARK: All at once

  /// Lets all rows take effect in an empty store. The order of sequences is found for all elements
  /// together, in time that grows with their number only.
  mutating func takeEffectAtOnce() {
    for index in rows.indices { _ = applyToRegister(UInt32(index)) }
    let order = SequenceOrder(of: self)
    for slot in objects.indices where objects[slot].kind.isSequence {
      let elements = order.elements(of: UInt32(slot), self)
      let widths = elements.map { width(of: $0) }
      objects[slot].sequence = trees.build(elements, widths: widths, &rows, actors.ranks)
    }
  }

  /// Makes everything that follows from the rows anew, after rows were cut off that had taken effect.
  mutating func rebuildEffects() {
    trees = SequenceTrees()
    elementRegisters = [:]
    increments = [:]
    for index in rows.indices {
      rows[index].flags.subtract([.overwritten, .hasRegister])
    }
    for slot in objects.indices {
      objects[slot].map = [:]
      objects[slot].sequence = SequenceRoot()
    }
    takeEffectAtOnce()
  }
}

/// The insertion trees of all sequences: children of an element in descending Lamport order.
private struct SequenceOrder {
  private var firstChild: [UInt32]
  private var nextSibling: [UInt32]
  private var firstOfObject: [UInt32]

  init(of store: Store) {
    firstChild = Array(repeating: .max, count: store.rows.count)
    nextSibling = firstChild
    firstOfObject = Array(repeating: .max, count: store.objects.count)
    for index in Self.insertions(of: store) {
      let row = store.rows[Int(index)]
      // Ascending order puts the greatest in front.
      if row.key == OperationRow.head {
        nextSibling[Int(index)] = firstOfObject[Int(row.object)]
        firstOfObject[Int(row.object)] = index
      } else {
        nextSibling[Int(index)] = firstChild[Int(row.key)]
        firstChild[Int(row.key)] = index
      }
    }
  }

  /// All insertions in ascending Lamport order.
  private static func insertions(of store: Store) -> [UInt32] {
    var insertions: [UInt32] = []
    var isSorted = true
    for index in store.rows.indices where store.rows[index].isInsert {
      let row = UInt32(index)
      if let last = insertions.last,
        !LamportOrder.precedes(last, row, store.rows, store.actors.ranks)
      {
        isSorted = false
      }
      insertions.append(row)
    }
    if isSorted { return insertions }
    // One number a row: counter, then rank; and the row beside it.
    var keyed = insertions.map { row -> (UInt64, UInt32) in
      let operation = store.rows[Int(row)]
      let rank = store.actors.ranks[Int(operation.actor)]
      return (UInt64(operation.counter) << 32 | UInt64(rank), row)
    }
    keyed.sort { $0.0 < $1.0 }
    return keyed.map(\.1)
  }

  /// Depth first, along the links: no stack.
  func elements(of slot: UInt32, _ store: Store) -> [UInt32] {
    var elements: [UInt32] = []
    var next = firstOfObject[Int(slot)]
    while next != .max {
      elements.append(next)
      if firstChild[Int(next)] != .max {
        next = firstChild[Int(next)]
        continue
      }
      while next != .max, nextSibling[Int(next)] == .max {
        next = store.rows[Int(next)].key
      }
      if next != .max { next = nextSibling[Int(next)] }
    }
    return elements
  }
}
