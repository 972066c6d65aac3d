// The reference of a JSON text's value, by one walk over the text. The depth is bounded, nothing
// recurses, and the time is O(n log n).

internal import SluiceJSON

extension MerkleReference {
  /// The reference of what JavaScript's `JSON.parse` makes of the text. Nil if the text is no JSON, is
  /// deeper than `JSONText.depthMaximum`, or has a lone surrogate or a number beyond a Double's range.
  package init?(ofJSON text: [UInt8]) {
    let found: MerkleReference? = unsafe text.withUnsafeBytes { text in
      var reader = unsafe MerkleReader(text)
      return reader.root()
    }
    guard let found else { return nil }
    self = found
  }
}

/// The walk. It keeps the references of the parts of all containers that are open.
@safe
private struct MerkleReader {
  private struct Container {
    var isMap: Bool
    /// Its parts are those from here on.
    var firstPart: Int
    /// Of a map: the name of the member that is being read.
    var name: [UInt8]
  }

  private var cursor: JSONCursor
  private var open: [Container] = []
  /// In a list, names are empty.
  private var parts: [(name: [UInt8], value: MerkleReference)] = []

  init(_ text: UnsafeRawBufferPointer) {
    unsafe cursor = JSONCursor(text)
  }

  mutating func root() -> MerkleReference? {
    while true {
      guard let begun = beginValue() else { return nil }
      guard case .whole(let value) = begun else { continue }
      switch endValue(value) {
      case .root(let root): return cursor.isAtEnd() ? root : nil
      case .next: continue
      case .damaged: return nil
      }
    }
  }

  private enum Begun {
    case whole(MerkleReference)
    /// A container that is not empty: its first part follows.
    case container
  }

  private mutating func beginValue() -> Begun? {
    if cursor.begins(with: UInt8(ascii: "\"")) {
      return string().map { .whole(.string($0)) }
    }
    if cursor.begins(with: UInt8(ascii: "[")) {
      guard takeOpening() else { return nil }
      if cursor.take(UInt8(ascii: "]")) { return .whole(.list([])) }
      open.append(Container(isMap: false, firstPart: parts.count, name: []))
      return .container
    }
    if cursor.begins(with: UInt8(ascii: "{")) {
      guard takeOpening() else { return nil }
      if cursor.take(UInt8(ascii: "}")) { return .whole(.map(utf8: [])) }
      guard let name = name() else { return nil }
      open.append(Container(isMap: true, firstPart: parts.count, name: name))
      return .container
    }
    return scalar().map { .whole($0) }
  }

  /// Takes the bracket that comes. False if what it opens, be it empty, is too deep.
  private mutating func takeOpening() -> Bool {
    guard open.count < JSONText.depthMaximum else { return false }
    return cursor.take(UInt8(ascii: "[")) || cursor.take(UInt8(ascii: "{"))
  }

  private enum Ended {
    case root(MerkleReference)
    case next
    case damaged
  }

  /// Gives the value to what it stands in, closes what ends behind it, and goes to the next value.
  private mutating func endValue(_ value: MerkleReference) -> Ended {
    var value = value
    while let container = open.last {
      parts.append((container.name, value))
      if cursor.take(container.isMap ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
        // A copy: while a slice lives, removing would copy the parts of all open containers.
        let own = Array(parts[container.firstPart...])
        parts.removeLast(own.count)
        value = container.isMap ? .map(utf8: own) : .list(own.map(\.value))
        open.removeLast()
        continue
      }
      guard cursor.take(UInt8(ascii: ",")) else { return .damaged }
      if container.isMap {
        guard let next = name() else { return .damaged }
        open[open.count - 1].name = next
      }
      return .next
    }
    return .root(value)
  }

  private mutating func string() -> [UInt8]? {
    cursor.string().flatMap { cursor.bytes(of: $0) }
  }

  private mutating func name() -> [UInt8]? {
    guard let name = string(), cursor.take(UInt8(ascii: ":")) else { return nil }
    return name
  }

  private mutating func scalar() -> MerkleReference? {
    switch cursor.word() {
    case .null: .null
    case .boolean(let value): .boolean(value)
    case .number(let form): Double(form).flatMap { .number($0) }
    case nil: nil
    }
  }
}
