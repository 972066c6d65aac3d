// The elements of all lists and texts in order: a B+ tree for each sequence, all in common arrays.
// Elements are never removed, because others stand behind them; a deleted one has width 0.
//
// Each child of a node carries two sums: the width of its subtree, by which an index finds its
// element, and the subtree's least element in Lamport's order, by which an insertion finds its place
// behind any number of concurrent ones. Each element's row names its leaf. So all of it is O(log n).

/// The tree of one sequence.
struct SequenceRoot: Sendable {
  /// A leaf if `height` is 0, otherwise a node. `.max` while there is no element.
  var root = UInt32.max
  var height: UInt32 = 0
  var firstLeaf = UInt32.max
  /// The sum of all widths: elements of a list, scalars of a text.
  var width = 0
}

struct SequenceTrees: Sendable {
  static let leafCapacity = 64
  static let nodeCapacity = 32

  // Only this type and its growth may change these.
  var elements: [UInt32] = []
  var widths: [UInt32] = []
  var leafCounts: [UInt32] = []
  var leafNexts: [UInt32] = []
  var leafParents: [UInt32] = []

  var children: [UInt32] = []
  var childWidths: [UInt32] = []
  var childLeasts: [UInt32] = []
  var nodeCounts: [UInt32] = []
  var nodeParents: [UInt32] = []

  func leafBase(_ leaf: UInt32) -> Int { Int(leaf) * Self.leafCapacity }
  func nodeBase(_ node: UInt32) -> Int { Int(node) * Self.nodeCapacity }

  // MARK: Reading

  /// Calls `body` with each element in order, tombstones included, until it gives false.
  func forEach(
    _ sequence: SequenceRoot, _ body: (_ row: UInt32, _ width: UInt32) -> Bool
  ) {
    var leaf = sequence.firstLeaf
    while leaf != .max {
      let base = leafBase(leaf)
      for slot in base..<base + Int(leafCounts[Int(leaf)]) {
        if !body(elements[slot], widths[slot]) { return }
      }
      leaf = leafNexts[Int(leaf)]
    }
  }

  /// The element that covers the index, and where it begins.
  func element(at index: Int, in sequence: SequenceRoot) -> (row: UInt32, start: Int)? {
    guard index >= 0, index < sequence.width else { return nil }
    var rest = index
    var block = sequence.root
    for _ in 0..<sequence.height {
      var slot = nodeBase(block)
      while rest >= Int(childWidths[slot]) {
        rest -= Int(childWidths[slot])
        slot += 1
      }
      block = children[slot]
    }
    var slot = leafBase(block)
    while rest >= Int(widths[slot]) {
      rest -= Int(widths[slot])
      slot += 1
    }
    return (elements[slot], index - rest)
  }

  /// The sum of the widths before the element.
  func index(of row: UInt32, leaf: UInt32) -> Int {
    var sum = 0
    var slot = leafBase(leaf)
    while elements[slot] != row {
      sum += Int(widths[slot])
      slot += 1
    }
    var child = leaf
    var node = leafParents[Int(leaf)]
    while node != .max {
      var slot = nodeBase(node)
      while children[slot] != child {
        sum += Int(childWidths[slot])
        slot += 1
      }
      child = node
      node = nodeParents[Int(node)]
    }
    return sum
  }

  /// The element after this one, tombstones included.
  func element(after row: UInt32, leaf: UInt32) -> UInt32? {
    let slot = slot(of: row, leaf: leaf) + 1
    if slot < Int(leafCounts[Int(leaf)]) { return elements[leafBase(leaf) + slot] }
    let next = leafNexts[Int(leaf)]
    return next == .max ? nil : elements[leafBase(next)]
  }

  func firstElement(of sequence: SequenceRoot) -> UInt32? {
    sequence.firstLeaf == .max ? nil : elements[leafBase(sequence.firstLeaf)]
  }

  private func slot(of row: UInt32, leaf: UInt32) -> Int {
    let base = leafBase(leaf)
    var slot = base
    while elements[slot] != row { slot += 1 }
    return slot - base
  }

  // MARK: Changing

  /// Puts a new element behind `reference` and behind all greater elements that follow it there.
  /// Sets the places in `rows`.
  mutating func insert(
    _ row: UInt32, width: UInt32, after reference: UInt32, into sequence: inout SequenceRoot,
    _ rows: inout [OperationRow], _ ranks: [UInt32]
  ) {
    if sequence.root == .max {
      sequence.root = makeLeaf()
      sequence.firstLeaf = sequence.root
    }
    var leaf = sequence.firstLeaf
    var slot = 0
    if reference != OperationRow.head {
      leaf = rows[Int(reference)].place
      slot = self.slot(of: reference, leaf: leaf) + 1
    }
    (leaf, slot) = place(of: row, leaf, slot, sequence, rows, ranks)
    if Int(leafCounts[Int(leaf)]) == Self.leafCapacity {
      (leaf, slot) = split(leaf, slot, &sequence, &rows, ranks)
    }
    let base = leafBase(leaf)
    let count = Int(leafCounts[Int(leaf)])
    var index = base + count
    while index > base + slot {
      elements[index] = elements[index - 1]
      widths[index] = widths[index - 1]
      index -= 1
    }
    elements[index] = row
    widths[index] = width
    leafCounts[Int(leaf)] += 1
    rows[Int(row)].place = leaf
    sequence.width += Int(width)
    var child = leaf
    var node = leafParents[Int(leaf)]
    while node != .max {
      let slot = childSlot(child, node)
      childWidths[slot] += width
      let least = childLeasts[slot]
      if least == .max || LamportOrder.precedes(row, least, rows, ranks) {
        childLeasts[slot] = row
      }
      child = node
      node = nodeParents[Int(node)]
    }
  }

  mutating func setWidth(
    _ width: UInt32, of row: UInt32, leaf: UInt32, in sequence: inout SequenceRoot
  ) {
    let slot = leafBase(leaf) + slot(of: row, leaf: leaf)
    let difference = Int(width) - Int(widths[slot])
    guard difference != 0 else { return }
    widths[slot] = width
    sequence.width += difference
    var child = leaf
    var node = leafParents[Int(leaf)]
    while node != .max {
      let slot = childSlot(child, node)
      childWidths[slot] = UInt32(Int(childWidths[slot]) + difference)
      child = node
      node = nodeParents[Int(node)]
    }
  }

  /// Builds the tree of elements that are known all at once. Sets the places in `rows`.
  mutating func build(
    _ sorted: [UInt32], widths sortedWidths: [UInt32], _ rows: inout [OperationRow],
    _ ranks: [UInt32]
  ) -> SequenceRoot {
    var sequence = SequenceRoot()
    guard !sorted.isEmpty else { return sequence }
    let perLeaf = Self.leafCapacity * 3 / 4
    var level: [UInt32] = []
    for start in stride(from: 0, to: sorted.count, by: perLeaf) {
      let leaf = makeLeaf()
      if let last = level.last { leafNexts[Int(last)] = leaf }
      level.append(leaf)
      let end = min(start + perLeaf, sorted.count)
      let base = leafBase(leaf)
      for index in start..<end {
        elements[base + index - start] = sorted[index]
        widths[base + index - start] = sortedWidths[index]
        rows[Int(sorted[index])].place = leaf
        sequence.width += Int(sortedWidths[index])
      }
      leafCounts[Int(leaf)] = UInt32(end - start)
    }
    sequence.firstLeaf = level[0]
    let perNode = Self.nodeCapacity * 3 / 4
    while level.count > 1 {
      var above: [UInt32] = []
      for start in stride(from: 0, to: level.count, by: perNode) {
        let node = makeNode()
        above.append(node)
        for child in level[start..<min(start + perNode, level.count)] {
          appendChild(
            child, to: node, childrenAreLeaves: sequence.height == 0, rows, ranks)
        }
      }
      level = above
      sequence.height += 1
    }
    sequence.root = level[0]
    return sequence
  }

  // MARK: Finding the place

  /// Where the first element at or after the place stands that is less than `row`.
  private func place(
    of row: UInt32, _ leaf: UInt32, _ slot: Int, _ sequence: SequenceRoot, _ rows: [OperationRow],
    _ ranks: [UInt32]
  ) -> (leaf: UInt32, slot: Int) {
    let base = leafBase(leaf)
    let count = Int(leafCounts[Int(leaf)])
    var index = slot
    while index < count {
      if LamportOrder.precedes(elements[base + index], row, rows, ranks) { return (leaf, index) }
      index += 1
    }
    let next = leafNexts[Int(leaf)]
    // The end of this leaf is the same place as the beginning of the next, and nearer.
    if next == .max || LamportOrder.precedes(elements[leafBase(next)], row, rows, ranks) {
      return (leaf, count)
    }
    var child = leaf
    var node = leafParents[Int(leaf)]
    var height: UInt32 = 1
    while node != .max {
      let end = nodeBase(node) + Int(nodeCounts[Int(node)])
      var slot = childSlot(child, node) + 1
      while slot < end {
        if LamportOrder.precedes(childLeasts[slot], row, rows, ranks) {
          return descend(to: row, children[slot], height - 1, rows, ranks)
        }
        slot += 1
      }
      child = node
      node = nodeParents[Int(node)]
      height += 1
    }
    var last = sequence.root
    for _ in 0..<sequence.height {
      last = children[nodeBase(last) + Int(nodeCounts[Int(last)]) - 1]
    }
    return (last, Int(leafCounts[Int(last)]))
  }

  /// The first element less than `row` in a subtree that has one.
  private func descend(
    to row: UInt32, _ block: UInt32, _ height: UInt32, _ rows: [OperationRow], _ ranks: [UInt32]
  ) -> (leaf: UInt32, slot: Int) {
    var block = block
    for _ in 0..<height {
      var slot = nodeBase(block)
      while !LamportOrder.precedes(childLeasts[slot], row, rows, ranks) { slot += 1 }
      block = children[slot]
    }
    var slot = leafBase(block)
    while !LamportOrder.precedes(elements[slot], row, rows, ranks) { slot += 1 }
    return (block, slot - leafBase(block))
  }
}
