// A JSON value as a tree: what a body of the chain says, what a receipt and an invariant are kept as.

internal import SluiceJSON

/// A JSON value. The members of a map keep their order.
package indirect enum SpaceValue: Sendable, Equatable {
  case null
  case bool(Bool)
  case integer(Int64)
  case number(Double)
  case text(String)
  case list([SpaceValue])
  case map([Member])

  package struct Member: Sendable, Equatable {
    package var key: String
    package var value: SpaceValue

    package init(_ key: String, _ value: SpaceValue) {
      self.key = key
      self.value = value
    }
  }

  /// How deep values that are parsed may lie in one another.
  package static let depthMax = 64

  /// Parses a text; nil if it is not JSON, too deep, or has a name twice in one object.
  package init?(parsing text: String) {
    let bytes = Array(text.utf8)
    let value: SpaceValue? = unsafe bytes.withUnsafeBytes { bytes in
      var cursor = unsafe JSONCursor(bytes)
      guard let value = unsafe SpaceValue(&cursor, bytes, depth: 0), cursor.isAtEnd() else {
        return nil
      }
      return value
    }
    guard let value else { return nil }
    self = value
  }

  private init?(_ cursor: inout JSONCursor, _ text: UnsafeRawBufferPointer, depth: Int) {
    guard depth <= Self.depthMax else { return nil }
    if cursor.begins(with: UInt8(ascii: "{")) {
      var members: [Member] = []
      var keys: Set<String> = []
      let isWhole = cursor.members { cursor, name in
        guard let bytes = cursor.bytes(of: name),
          let value = unsafe SpaceValue(&cursor, text, depth: depth + 1)
        else { return false }
        members.append(Member(String(decoding: bytes, as: UTF8.self), value))
        return keys.insert(members[members.count - 1].key).inserted
      }
      guard isWhole else { return nil }
      self = .map(members)
    } else if cursor.begins(with: UInt8(ascii: "[")) {
      var elements: [SpaceValue] = []
      let isWhole = cursor.elements { cursor in
        guard let value = unsafe SpaceValue(&cursor, text, depth: depth + 1) else { return false }
        elements.append(value)
        return true
      }
      guard isWhole else { return nil }
      self = .list(elements)
    } else if cursor.begins(with: UInt8(ascii: "\"")) {
      guard let span = cursor.string(), let bytes = cursor.bytes(of: span) else { return nil }
      self = .text(String(decoding: bytes, as: UTF8.self))
    } else {
      let start = cursor.place
      guard cursor.skipValue() else { return nil }
      let word = unsafe String(decoding: text[start..<cursor.place], as: UTF8.self)
        .trimmingBlanks()
      switch word {
      case "null": self = .null
      case "true": self = .bool(true)
      case "false": self = .bool(false)
      default:
        if let integer = Int64(word) {
          self = .integer(integer)
        } else if let number = Double(word), number.isFinite {
          self = .number(number)
        } else {
          return nil
        }
      }
    }
  }

  // MARK: Looking in

  subscript(key: String) -> SpaceValue? {
    guard case .map(let members) = self else { return nil }
    return members.first { $0.key == key }?.value
  }

  var text: String? { if case .text(let text) = self { text } else { nil } }
  var integer: Int64? { if case .integer(let integer) = self { integer } else { nil } }
  var list: [SpaceValue]? { if case .list(let list) = self { list } else { nil } }
  var bool: Bool? { if case .bool(let bool) = self { bool } else { nil } }

  /// A list of texts; nil for other values.
  var texts: [String]? {
    guard let list else { return nil }
    let texts = list.compactMap(\.text)
    return texts.count == list.count ? texts : nil
  }

  // MARK: Writing

  /// The text without blanks.
  package var json: String {
    var bytes: [UInt8] = []
    write(to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func write(_ text: String, to bytes: inout [UInt8]) {
    var text = text
    let isPlain = text.withUTF8 { text in
      unsafe text.allSatisfy { $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
    }
    guard isPlain else {
      return bytes.append(contentsOf: JSONText.quoted(Array(text.utf8)))
    }
    bytes.append(UInt8(ascii: "\""))
    text.withUTF8 { text in unsafe bytes.append(contentsOf: text) }
    bytes.append(UInt8(ascii: "\""))
  }

  /// Its depth is that of what was parsed or of the engine's own values.
  private func write(to bytes: inout [UInt8]) {
    switch self {
    case .null: bytes.append(contentsOf: "null".utf8)
    case .bool(let value): bytes.append(contentsOf: (value ? "true" : "false").utf8)
    case .integer(let value): bytes.append(contentsOf: String(value).utf8)
    case .number(let value): bytes.append(contentsOf: "\(value)".utf8)
    case .text(let value): Self.write(value, to: &bytes)
    case .list(let values):
      bytes.append(UInt8(ascii: "["))
      for (index, value) in values.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        value.write(to: &bytes)
      }
      bytes.append(UInt8(ascii: "]"))
    case .map(let members):
      bytes.append(UInt8(ascii: "{"))
      for (index, member) in members.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        Self.write(member.key, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        member.value.write(to: &bytes)
      }
      bytes.append(UInt8(ascii: "}"))
    }
  }
}

extension String {
  fileprivate func trimmingBlanks() -> String {
    var bytes = Array(utf8)
    while let last = bytes.last, last <= 0x20 { bytes.removeLast() }
    return String(decoding: bytes.drop { $0 <= 0x20 }, as: UTF8.self)
  }
}
