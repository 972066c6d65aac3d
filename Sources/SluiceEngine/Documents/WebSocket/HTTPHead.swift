// The head of an HTTP/1.1 request (RFC 9112), read strictly: CRLF ends a line, and nothing is repaired.
// What two readers could take for two things is no request.

internal import SluiceJSON

struct HTTPHead: Equatable, Sendable {
  let method: String
  /// What stands before the question mark, as it came.
  let path: [UInt8]
  /// The parts of the query as they came, between the ampersands.
  let query: [[UInt8]]
  /// By name in lower case, in the order in which they came.
  private let fields: [String: [String]]

  /// `text` ends with the empty line. Throws 400 or 431.
  init(_ text: ArraySlice<UInt8>, fieldCountMax: Int) throws(HTTPRefusal) {
    var lines: [ArraySlice<UInt8>] = []
    var start = text.startIndex
    for index in text.indices.dropLast()
    where text[index] == Self.carriageReturn && text[index + 1] == Self.lineFeed {
      lines.append(text[start..<index])
      start = index + 2
    }
    guard lines.count - 2 <= fieldCountMax else { throw .headTooLarge }
    // Tabs may stand in a value. Other controls, so a carriage return or line feed alone, may not.
    let isText = lines.allSatisfy { line in
      line.allSatisfy { $0 >= 0x20 && $0 != 0x7f || $0 == Self.tab }
    }
    guard let request = lines.first, lines.count >= 2, lines.last?.isEmpty == true,
      start == text.endIndex, isText
    else { throw .badRequest }

    let words = request.split(separator: Self.space, omittingEmptySubsequences: false)
    guard words.count == 3, words[2].elementsEqual("HTTP/1.1".utf8),
      Self.isToken(words[0]), words[1].first == UInt8(ascii: "/"),
      words[1].allSatisfy({ (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "#") })
    else { throw .badRequest }
    method = String(decoding: words[0], as: UTF8.self)
    let parts = words[1].split(
      separator: UInt8(ascii: "?"), maxSplits: 1, omittingEmptySubsequences: false)
    path = Array(parts[0])
    query =
      parts.count == 2 ? parts[1].split(separator: UInt8(ascii: "&")).map { Array($0) } : []

    var fields: [String: [String]] = [:]
    for line in lines[1..<lines.count - 1] {
      guard let colon = line.firstIndex(of: UInt8(ascii: ":")), Self.isToken(line[..<colon]) else {
        throw .badRequest
      }
      let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
      let value = String(decoding: Self.trimmed(line[(colon + 1)...]), as: UTF8.self)
      fields[name, default: []].append(value)
    }
    self.fields = fields
  }

  private static let carriageReturn: UInt8 = 13
  private static let lineFeed: UInt8 = 10
  private static let tab: UInt8 = 9
  private static let space: UInt8 = 32

  private static func isToken(_ bytes: ArraySlice<UInt8>) -> Bool {
    !bytes.isEmpty
      && bytes.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
          UInt8(ascii: "A")...UInt8(ascii: "Z"):
          true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
      }
  }

  private static func trimmed(_ value: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    func isBlank(_ byte: UInt8) -> Bool { byte == space || byte == tab }
    let rest = value.drop(while: isBlank)
    return rest.dropLast(rest.reversed().prefix(while: isBlank).count)
  }

  // MARK: Fields

  /// The value of a field that may come once. Throws 400 if it comes more often.
  func field(_ name: String) throws(HTTPRefusal) -> String? {
    let values = fields[name] ?? []
    guard values.count <= 1 else { throw .badRequest }
    return values.first
  }

  /// Whether one of the words of a list, which may come in several fields, is this one, in any case.
  func lists(_ name: String, _ word: String) -> Bool {
    (fields[name] ?? []).contains { value in
      value.utf8.split(separator: UInt8(ascii: ",")).contains { part in
        isSameWord(Self.trimmed(Array(part)[...]), word)
      }
    }
  }
}

/// Whether both are the same but for the case of ASCII's letters. Swift's `lowercased()` and `==` know
/// other letters, U+212A for K, that HTTP does not.
func isSameWord(_ first: some Sequence<UInt8>, _ second: String) -> Bool {
  func folded(_ byte: UInt8) -> UInt8 {
    (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
  }
  return first.lazy.map(folded).elementsEqual(second.utf8.lazy.map(folded))
}

/// Text without its percent-encoding (RFC 3986). Nil if a percent sign is not followed by two digits, or
/// if the bytes are no UTF-8.
func percentDecoded(_ text: some Collection<UInt8>) -> String? {
  var bytes: [UInt8] = []
  var rest = Array(text)[...]
  while let byte = rest.popFirst() {
    guard byte == UInt8(ascii: "%") else {
      bytes.append(byte)
      continue
    }
    guard let high = rest.popFirst(), let low = rest.popFirst() else { return nil }
    let digits = (JSONText.hexValue(high), JSONText.hexValue(low))
    guard digits.0 < 16, digits.1 < 16 else { return nil }
    bytes.append(digits.0 << 4 | digits.1)
  }
  return String(validating: bytes, as: UTF8.self)
}
