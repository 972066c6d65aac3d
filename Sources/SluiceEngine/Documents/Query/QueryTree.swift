// A JSON text as a tree, for schemas and for documents that come as text. All values stand in one
// table, so that a deep text costs no stack, neither when it is read nor when it is freed.
//
// Of members with equal keys the last one counts, as in JavaScript.

internal import SluiceJSON

final class QueryTree: Sendable {
  /// Bounds of a text from elsewhere.
  struct Limits: Sendable {
    var byteCountMax = 1 << 16
    /// How deep arrays and objects may lie in one another.
    var depthMax = 128
  }

  private enum Node: Sendable {
    case scalar(QueryScalar)
    /// Elements by their place in `children`.
    case array(Range<Int>)
    /// Members in the order of their keys.
    case object(Range<Int>)
  }

  /// A value of the tree.
  struct Value: QueryValue, Sendable {
    let tree: QueryTree
    /// Parents have lower indices than what is in them.
    let index: Int
  }

  private let nodes: [Node]
  private let parents: [Int]
  private let children: [Int]
  /// Of members, beside `children`.
  private let childKeys: [ExactText]

  /// The whole text.
  var root: Value { Value(tree: self, index: 0) }

  /// Reads a text.
  init(_ text: [UInt8], limits: Limits = Limits()) throws(QueryError) {
    guard text.count <= limits.byteCountMax else {
      throw QueryError(.tooLarge(byteCountMax: limits.byteCountMax))
    }
    var builder = Builder(depthMax: limits.depthMax)
    let outcome = unsafe text.withUnsafeBytes { text in unsafe builder.read(text) }
    switch outcome {
    case .done: break
    case .malformed: throw QueryError(.malformedJSON)
    case .tooDeep: throw QueryError(.tooDeep(depthMax: limits.depthMax))
    }
    nodes = builder.nodes
    parents = builder.parents
    children = builder.children
    childKeys = builder.childKeys
  }

  /// The place of a value as a JSON pointer, for messages.
  func pointer(to index: Int) -> String {
    var steps: [String] = []
    var index = index
    while index > 0 {
      let parent = parents[index]
      switch nodes[parent] {
      case .object(let range):
        let place = range.first { children[$0] == index }
        steps.append(place.map { JSONPointer.escaped(childKeys[$0].text) } ?? "")
      case .array(let range):
        steps.append(String((range.first { children[$0] == index } ?? 0) - range.lowerBound))
      case .scalar: steps.append("")
      }
      index = parent
    }
    return steps.reversed().map { "/\($0)" }.joined()
  }
}

extension QueryTree.Value {
  var kind: QueryValueKind {
    switch tree.nodes[index] {
    case .array: .array
    case .object: .object
    case .scalar(.null): .null
    case .scalar(.boolean): .boolean
    case .scalar(.number): .number
    case .scalar(.string): .string
    }
  }

  var scalar: QueryScalar? {
    if case .scalar(let scalar) = tree.nodes[index] { scalar } else { nil }
  }

  private var range: Range<Int> {
    switch tree.nodes[index] {
    case .array(let range), .object(let range): range
    case .scalar: 0..<0
    }
  }

  var count: Int { range.count }

  func hasCount(_ count: Int) -> Bool { self.count == count }

  var scalarCount: Int {
    guard case .scalar(.string(let text)) = tree.nodes[index] else { return 0 }
    return text.text.unicodeScalars.count
  }

  func element(at index: Int) -> Self {
    Self(tree: tree, index: tree.children[range.lowerBound + index])
  }

  func member(_ key: ExactText) -> Self? {
    guard case .object(let range) = tree.nodes[index] else { return nil }
    var (low, high) = (range.lowerBound, range.upperBound)
    while low < high {
      let middle = (low + high) / 2
      if tree.childKeys[middle].precedes(key) { low = middle + 1 } else { high = middle }
    }
    guard low < range.upperBound, tree.childKeys[low] == key else { return nil }
    return Self(tree: tree, index: tree.children[low])
  }

  func member(_ key: String) -> Self? { member(ExactText(key)) }

  var keys: [ExactText] {
    guard case .object(let range) = tree.nodes[index] else { return [] }
    return Array(tree.childKeys[range])
  }

  /// Its members, ascending by the bytes of their keys; none if this is no object.
  var members: [(key: ExactText, value: Self)] {
    guard case .object(let range) = tree.nodes[index] else { return [] }
    return range.map { (tree.childKeys[$0], Self(tree: tree, index: tree.children[$0])) }
  }

  /// Its elements; none if this is no array.
  var elements: [Self] {
    guard case .array(let range) = tree.nodes[index] else { return [] }
    return range.map { Self(tree: tree, index: tree.children[$0]) }
  }

  var string: String? {
    if case .string(let text)? = scalar { text.text } else { nil }
  }
}

// MARK: Reading

extension QueryTree {
  private enum Outcome { case done, malformed, tooDeep }

  private struct Builder {
    let depthMax: Int
    var nodes: [Node] = []
    var parents: [Int] = []
    var children: [Int] = []
    var childKeys: [ExactText] = []
    private var open: [Open] = []

    /// An array or object of which the end has not been read.
    private struct Open {
      var node: Int
      var isObject: Bool
      var children: [Int] = []
      var keys: [ExactText] = []
    }

    init(depthMax: Int) { self.depthMax = depthMax }

    mutating func read(_ text: UnsafeRawBufferPointer) -> Outcome {
      var cursor = unsafe JSONCursor(text)
      repeat {
        let isObject = cursor.begins(with: UInt8(ascii: "{"))
        if isObject || cursor.begins(with: UInt8(ascii: "[")) {
          guard open.count < depthMax else { return .tooDeep }
          _ = cursor.take(isObject ? UInt8(ascii: "{") : UInt8(ascii: "["))
          open.append(Open(node: add(.array(0..<0)), isObject: isObject))
          if cursor.take(isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
            close()
          } else {
            guard !isObject || readKey(&cursor) else { return .malformed }
            continue
          }
        } else {
          guard let scalar = Self.scalar(&cursor) else { return .malformed }
          _ = add(.scalar(scalar))
        }
        guard readEnd(&cursor) else { return .malformed }
      } while !open.isEmpty
      return cursor.isAtEnd() ? .done : .malformed
    }

    private mutating func add(_ node: Node) -> Int {
      nodes.append(node)
      parents.append(open.last?.node ?? 0)
      if !open.isEmpty { open[open.count - 1].children.append(nodes.count - 1) }
      return nodes.count - 1
    }

    /// Behind a value: closes what ends here, and goes to the next element or member.
    private mutating func readEnd(_ cursor: inout JSONCursor) -> Bool {
      while !open.isEmpty {
        // Only this: a copy of the whole would make readKey copy its keys.
        let isObject = open[open.count - 1].isObject
        if cursor.take(isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
          close()
        } else if cursor.take(UInt8(ascii: ",")) {
          return !isObject || readKey(&cursor)
        } else {
          return false
        }
      }
      return true
    }

    private mutating func readKey(_ cursor: inout JSONCursor) -> Bool {
      guard let span = cursor.string(), let bytes = cursor.bytes(of: span),
        cursor.take(UInt8(ascii: ":"))
      else { return false }
      open[open.count - 1].keys.append(ExactText(String(decoding: bytes, as: UTF8.self)))
      return true
    }

    private mutating func close() {
      let ended = open.removeLast()
      let start = children.count
      guard ended.isObject else {
        children += ended.children
        childKeys += repeatElement(ExactText(""), count: ended.children.count)
        nodes[ended.node] = .array(start..<children.count)
        return
      }
      let order = ended.keys.indices.sorted { left, right in
        if ended.keys[left] == ended.keys[right] { return left < right }
        return ended.keys[left].precedes(ended.keys[right])
      }
      for (place, member) in order.enumerated() {
        let isRepeated =
          place + 1 < order.count && ended.keys[order[place + 1]] == ended.keys[member]
        if isRepeated { continue }
        children.append(ended.children[member])
        childKeys.append(ended.keys[member])
      }
      nodes[ended.node] = .object(start..<children.count)
    }

    private static func scalar(_ cursor: inout JSONCursor) -> QueryScalar? {
      if cursor.begins(with: UInt8(ascii: "\"")) {
        guard let span = cursor.string(), let bytes = cursor.bytes(of: span) else { return nil }
        return .string(ExactText(String(decoding: bytes, as: UTF8.self)))
      }
      switch cursor.word() {
      case .null: return .null
      case .boolean(let value): return .boolean(value)
      case .number(let form): return QueryNumber(json: form).map { .number($0) }
      case nil: return nil
      }
    }
  }
}
