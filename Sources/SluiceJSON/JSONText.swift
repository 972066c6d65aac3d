// JSON (RFC 8259) without loss: what a text says, in one form.
//
// The form has no blanks, and in a string only what must be is escaped. So two texts that differ in
// formatting alone have the same form. Numbers keep their text, because no type of ours has them
// all. The order of members and their repetition in nested objects stay too.
//
// A lone surrogate (\ud800) stays an escape: UTF-8 has no bytes for it.
//
// Hostile texts: the depth is bounded, nothing recurses, and the time is linear.

package enum JSONText {
  /// How deep arrays and objects may lie in one another. SQLite's JSON functions take 2,000.
  package static let depthMaximum = 1000

  package struct Member: Equatable {
    /// The form of the name, a string.
    package var name: [UInt8]
    /// The form of the value.
    package var value: [UInt8]
  }

  /// The root of a text: the members of an object in their order, or the form of another value.
  package enum Root: Equatable {
    case object([Member])
    case other([UInt8])
  }

  /// nil if the text is not JSON, or too deep.
  package static func root(of text: [UInt8]) -> Root? {
    unsafe text.withUnsafeBufferPointer { text in
      var scanner = unsafe JSONScanner(text)
      return scanner.root()
    }
  }

  /// The members of an object, by the text of their names; nil if `text` is no object, or if two
  /// names look equal or one has a lone surrogate.
  package static func members(of text: String) -> [String: [UInt8]]? {
    guard case .object(let list) = root(of: Array(text.utf8)) else { return nil }
    var members: [String: [UInt8]] = [:]
    for member in list {
      guard let name = string(of: member.name),
        members.updateValue(member.value, forKey: name) == nil
      else { return nil }
    }
    return members
  }

  /// The form of a string.
  package static func quoted(_ text: some Collection<UInt8>) -> [UInt8] {
    var out = [UInt8(ascii: "\"")]
    if text.contains(where: { $0 < 32 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") }) {
      for byte in text { append(escaping: byte, to: &out) }
    } else {
      out.append(contentsOf: text)
    }
    out.append(UInt8(ascii: "\""))
    return out
  }

  /// The text of a string's form; nil if it is no string, or has a lone surrogate.
  package static func string(of form: [UInt8]) -> String? {
    bytes(ofString: form).map { String(decoding: $0, as: UTF8.self) }
  }

  /// The same, in UTF-8.
  package static func bytes(ofString form: [UInt8]) -> [UInt8]? {
    guard form.count >= 2, form[0] == UInt8(ascii: "\"") else { return nil }
    let inner = form[1..<form.count - 1]
    guard inner.contains(UInt8(ascii: "\\")) else { return Array(inner) }
    var bytes: [UInt8] = []
    var place = inner.startIndex
    while place < inner.endIndex {
      guard inner[place] == UInt8(ascii: "\\") else {
        bytes.append(inner[place])
        place += 1
        continue
      }
      place += 2
      switch inner[place - 1] {
      case UInt8(ascii: "b"): bytes.append(8)
      case UInt8(ascii: "t"): bytes.append(9)
      case UInt8(ascii: "n"): bytes.append(10)
      case UInt8(ascii: "f"): bytes.append(12)
      case UInt8(ascii: "r"): bytes.append(13)
      case UInt8(ascii: "u"):
        // In a form, only controls and lone surrogates stand as numbers.
        guard inner[place] == UInt8(ascii: "0") else { return nil }
        bytes.append(hexValue(inner[place + 2]) << 4 | hexValue(inner[place + 3]))
        place += 4
      default: bytes.append(inner[place - 1])
      }
    }
    return bytes
  }

  package static func append(escaping byte: UInt8, to out: inout [UInt8]) {
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): out += [UInt8(ascii: "\\"), byte]
    case 8: out += [UInt8(ascii: "\\"), UInt8(ascii: "b")]
    case 9: out += [UInt8(ascii: "\\"), UInt8(ascii: "t")]
    case 10: out += [UInt8(ascii: "\\"), UInt8(ascii: "n")]
    case 12: out += [UInt8(ascii: "\\"), UInt8(ascii: "f")]
    case 13: out += [UInt8(ascii: "\\"), UInt8(ascii: "r")]
    case 0..<32: append(numberOf: UInt32(byte), to: &out)
    default: out.append(byte)
    }
  }

  /// As \u and four digits.
  package static func append(numberOf character: UInt32, to out: inout [UInt8]) {
    let digits = Array("0123456789abcdef".utf8)
    out += [UInt8(ascii: "\\"), UInt8(ascii: "u")]
    for shift: UInt32 in [12, 8, 4, 0] { out.append(digits[Int(character >> shift & 15)]) }
  }

  /// 0xff for a byte that is no digit.
  package static func hexValue(_ byte: UInt8) -> UInt8 {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: 0xff
    }
  }
}
