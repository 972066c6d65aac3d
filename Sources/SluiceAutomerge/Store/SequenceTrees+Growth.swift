// How the trees grow: full leaves and nodes are split, and their parents' sums kept right.

extension SequenceTrees {
  mutating func makeLeaf() -> UInt32 {
    let leaf = UInt32(leafCounts.count)
    elements.append(contentsOf: repeatElement(0, count: Self.leafCapacity))
    widths.append(contentsOf: repeatElement(0, count: Self.leafCapacity))
    leafCounts.append(0)
    leafNexts.append(.max)
    leafParents.append(.max)
    return leaf
  }

  mutating func makeNode() -> UInt32 {
    let node = UInt32(nodeCounts.count)
    children.append(contentsOf: repeatElement(0, count: Self.nodeCapacity))
    childWidths.append(contentsOf: repeatElement(0, count: Self.nodeCapacity))
    childLeasts.append(contentsOf: repeatElement(.max, count: Self.nodeCapacity))
    nodeCounts.append(0)
    nodeParents.append(.max)
    return node
  }

  func childSlot(_ child: UInt32, _ node: UInt32) -> Int {
    var slot = nodeBase(node)
    while children[slot] != child { slot += 1 }
    return slot
  }

  /// Splits a full leaf. Gives where the place of an insertion is now.
  mutating func split(
    _ leaf: UInt32, _ slot: Int, _ sequence: inout SequenceRoot, _ rows: inout [OperationRow],
    _ ranks: [UInt32]
  ) -> (leaf: UInt32, slot: Int) {
    let right = makeLeaf()
    // Who types at the end leaves full leaves behind.
    let kept = slot == Self.leafCapacity ? Self.leafCapacity : Self.leafCapacity / 2
    let from = leafBase(leaf) + kept
    let to = leafBase(right)
    for index in 0..<Self.leafCapacity - kept {
      elements[to + index] = elements[from + index]
      widths[to + index] = widths[from + index]
      rows[Int(elements[to + index])].place = right
    }
    leafCounts[Int(leaf)] = UInt32(kept)
    leafCounts[Int(right)] = UInt32(Self.leafCapacity - kept)
    leafNexts[Int(right)] = leafNexts[Int(leaf)]
    leafNexts[Int(leaf)] = right
    insertChild(right, after: leaf, childrenAreLeaves: true, &sequence, rows, ranks)
    return slot > kept || slot == Self.leafCapacity ? (right, slot - kept) : (leaf, slot)
  }

  /// Hangs `right`, which was split off `left`, into the parent of `left`.
  private mutating func insertChild(
    _ right: UInt32, after left: UInt32, childrenAreLeaves: Bool, _ sequence: inout SequenceRoot,
    _ rows: [OperationRow], _ ranks: [UInt32]
  ) {
    var node = childrenAreLeaves ? leafParents[Int(left)] : nodeParents[Int(left)]
    if node == .max {
      node = makeNode()
      appendChild(left, to: node, childrenAreLeaves: childrenAreLeaves, rows, ranks)
      sequence.root = node
      sequence.height += 1
    }
    let isFull = Int(nodeCounts[Int(node)]) == Self.nodeCapacity
    if isFull {
      let half = Self.nodeCapacity / 2
      let sibling = makeNode()
      let base = nodeBase(node)
      let moved = children[base + half..<base + Self.nodeCapacity]
      nodeCounts[Int(node)] = UInt32(half)
      for child in Array(moved) {
        appendChild(child, to: sibling, childrenAreLeaves: childrenAreLeaves, rows, ranks)
      }
      insertChild(sibling, after: node, childrenAreLeaves: false, &sequence, rows, ranks)
      node = childrenAreLeaves ? leafParents[Int(left)] : nodeParents[Int(left)]
    }
    let slot = childSlot(left, node)
    var index = nodeBase(node) + Int(nodeCounts[Int(node)])
    while index > slot + 1 {
      children[index] = children[index - 1]
      childWidths[index] = childWidths[index - 1]
      childLeasts[index] = childLeasts[index - 1]
      index -= 1
    }
    children[index] = right
    nodeCounts[Int(node)] += 1
    setParent(node, of: right, isLeaf: childrenAreLeaves)
    summarize(slot, isLeaf: childrenAreLeaves, rows, ranks)
    summarize(slot + 1, isLeaf: childrenAreLeaves, rows, ranks)
    if isFull { summarizeAncestors(of: node, rows, ranks) }
  }

  /// Makes the sums above a node right, whose own are.
  private mutating func summarizeAncestors(
    of node: UInt32, _ rows: [OperationRow], _ ranks: [UInt32]
  ) {
    var child = node
    var parent = nodeParents[Int(node)]
    while parent != .max {
      summarize(childSlot(child, parent), isLeaf: false, rows, ranks)
      child = parent
      parent = nodeParents[Int(parent)]
    }
  }

  mutating func appendChild(
    _ child: UInt32, to node: UInt32, childrenAreLeaves: Bool, _ rows: [OperationRow],
    _ ranks: [UInt32]
  ) {
    let slot = nodeBase(node) + Int(nodeCounts[Int(node)])
    children[slot] = child
    nodeCounts[Int(node)] += 1
    setParent(node, of: child, isLeaf: childrenAreLeaves)
    summarize(slot, isLeaf: childrenAreLeaves, rows, ranks)
  }

  private mutating func setParent(_ node: UInt32, of child: UInt32, isLeaf: Bool) {
    if isLeaf { leafParents[Int(child)] = node } else { nodeParents[Int(child)] = node }
  }

  /// Computes width and least element of the child at the slot.
  private mutating func summarize(
    _ slot: Int, isLeaf: Bool, _ rows: [OperationRow], _ ranks: [UInt32]
  ) {
    let child = children[slot]
    let base = isLeaf ? leafBase(child) : nodeBase(child)
    let count = Int(isLeaf ? leafCounts[Int(child)] : nodeCounts[Int(child)])
    var width: UInt32 = 0
    var least = UInt32.max
    for index in base..<base + count {
      width += isLeaf ? widths[index] : childWidths[index]
      let candidate = isLeaf ? elements[index] : childLeasts[index]
      // A leaf that was just split off may have no element yet.
      guard candidate != .max else { continue }
      if least == .max || LamportOrder.precedes(candidate, least, rows, ranks) {
        least = candidate
      }
    }
    childWidths[slot] = width
    childLeasts[slot] = least
  }
}
