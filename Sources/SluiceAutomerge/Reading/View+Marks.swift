// Marks: ranges of a text with a name and a value. They begin and end at elements of width zero.

/// A range of a text that carries a value.
public struct Mark: Hashable, Sendable {
  /// Marks of different names do not touch each other.
  public var name: String
  /// Null takes a mark off.
  public var value: ScalarValue
  /// Scalars of the text.
  public var range: Range<Int>

  /// A mark on a range.
  public init(name: String, value: ScalarValue, range: Range<Int>) {
    self.name = name
    self.value = value
    self.range = range
  }
}

/// A part of a text in which the same marks hold, or an object that stands in the text.
public enum Span: Hashable, Sendable {
  /// Marks by name, ascending. A value of null says that a mark was taken off.
  case text(String, marks: [Mark])
  /// An object within the text: a block, or what else was inserted there.
  case object(ObjectKind, ObjectID, marks: [Mark])
}

extension View {
  /// The marks of a text by name, and then by place. Those that were taken off are left out.
  public func marks(of object: ObjectID) throws(AutomergeError) -> [Mark] {
    let slot = try slot(of: object, isSequence: true)
    var open: [[UInt8]: Mark] = [:]
    var marks: [Mark] = []
    var index = 0
    func close(_ name: [UInt8]) {
      guard let mark = open.removeValue(forKey: name) else { return }
      if !mark.range.isEmpty, mark.value != .null { marks.append(mark) }
    }
    forEachPiece(of: slot) { row, active in
      let width = width(of: row, in: slot)
      for (name, begin) in active {
        let value = scalar(of: begin)
        if let mark = open[name], mark.value == value {
          open[name]?.range = mark.range.lowerBound..<index + width
        } else {
          close(name)
          open[name] = Mark(
            name: String(decoding: name, as: UTF8.self), value: value,
            range: index..<index + width)
        }
      }
      for name in open.keys where active[name] == nil { close(name) }
      index += width
    }
    for name in Array(open.keys) { close(name) }
    return marks.sorted {
      if $0.name.utf8.elementsEqual($1.name.utf8) {
        return $0.range.lowerBound < $1.range.lowerBound
      }
      return $0.name.utf8.lexicographicallyPrecedes($1.name.utf8)
    }
  }

  /// The text in pieces of equal marks, and the objects in it.
  public func spans(of object: ObjectID) throws(AutomergeError) -> [Span] {
    let slot = try slot(of: object, isSequence: true)
    var spans: [Span] = []
    var bytes: [UInt8] = []
    var start = 0
    var index = 0
    var current: [[UInt8]: UInt32] = [:]
    func marks(_ range: Range<Int>) -> [Mark] {
      current.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { name, begin in
        Mark(
          name: String(decoding: name, as: UTF8.self), value: scalar(of: begin), range: range)
      }
    }
    func flush() {
      if !bytes.isEmpty {
        spans.append(.text(String(decoding: bytes, as: UTF8.self), marks: marks(start..<index)))
      }
      bytes = []
      start = index
    }
    forEachPiece(of: slot) { row, active in
      if !isSame(active, current) {
        flush()
        current = active
      }
      let width = width(of: row, in: slot)
      if let kind = ObjectKind(rawValue: store.rows[Int(row)].action) {
        flush()
        spans.append(
          .object(kind, .made(store.id(of: row)), marks: marks(index..<index + width)))
        start = index + width
      } else {
        appendText(ofRow: row, to: &bytes)
      }
      index += width
    }
    flush()
    return spans
  }

  private func isSame(_ left: [[UInt8]: UInt32], _ right: [[UInt8]: UInt32]) -> Bool {
    left.count == right.count
      && left.allSatisfy { name, begin in
        guard let other = right[name] else { return false }
        return other == begin || scalar(of: other) == scalar(of: begin)
      }
  }

  /// Calls `body` with the winner of each visible element, and the marks that hold there: by name the
  /// operation that began the one that counts.
  private func forEachPiece(
    of slot: UInt32, _ body: (_ winner: UInt32, _ active: [[UInt8]: UInt32]) -> Void
  ) {
    var open: [[UInt8]: [UInt32]] = [:]
    var active: [[UInt8]: UInt32] = [:]
    func update(_ name: [UInt8]) {
      active[name] = open[name]?.max {
        LamportOrder.precedes($0, $1, store.rows, store.actors.ranks)
      }
    }
    store.trees.forEach(store.objects[Int(slot)].sequence) { element, _ in
      let row = store.rows[Int(element)]
      guard row.action == Action.mark else {
        if let winner = register(ofElement: element).winner { body(winner, active) }
        return true
      }
      if let overlay, !overlay.isIncluded[Int(element)] { return true }
      if let range = store.markNames[element] {
        let name = Array(store.contents[range.range])
        open[name, default: []].append(element)
        update(name)
      } else if let range = store.markNames[element - 1] {
        // An end stands one row behind its beginning, whatever their order in the text.
        let name = Array(store.contents[range.range])
        open[name]?.removeAll { $0 == element - 1 }
        update(name)
      }
      return true
    }
  }
}
