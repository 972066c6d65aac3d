// Walks over a JSON text (RFC 8259) and checks it, without building anything: for the many small
// texts of which the engine wants one or two members.
//
// Each method returns nil or false where the text is no JSON. The depth is bounded, and nothing
// recurses.

@safe
package struct JSONCursor {
  private let text: UnsafeBufferPointer<UInt8>
  package private(set) var place = 0

  /// A string as it stands in the text.
  package struct Span {
    /// Between the quotes.
    package var range: Range<Int>
    /// Its length as JavaScript counts it: in UTF-16 code units.
    package var utf16Count: Int
    package var hasEscapes: Bool
  }

  package init(_ text: UnsafeRawBufferPointer) {
    unsafe self.text = unsafe text.assumingMemoryBound(to: UInt8.self)
  }

  /// The next byte; 0, which is never JSON, at the end.
  private var next: UInt8 { unsafe place < text.count ? text[place] : 0 }

  package mutating func skipBlanks() {
    while true {
      switch next {
      case UInt8(ascii: " "), 9, 10, 13: place += 1
      default: return
      }
    }
  }

  /// Goes over this byte, and blanks before it, if it comes next.
  package mutating func take(_ byte: UInt8) -> Bool {
    skipBlanks()
    guard next == byte else { return false }
    place += 1
    return true
  }

  package mutating func isAtEnd() -> Bool {
    skipBlanks()
    return unsafe place == text.count
  }

  /// Whether a string, array or object comes next.
  package mutating func begins(with byte: UInt8) -> Bool {
    skipBlanks()
    return next == byte
  }

  // MARK: Values

  /// Goes through the members of an object. `body` has to go over the value; it gives false if that
  /// is no JSON.
  package mutating func members(_ body: (inout JSONCursor, Span) -> Bool) -> Bool {
    guard take(UInt8(ascii: "{")) else { return false }
    if take(UInt8(ascii: "}")) { return true }
    while true {
      guard let name = string(), take(UInt8(ascii: ":")), body(&self, name) else { return false }
      if take(UInt8(ascii: "}")) { return true }
      guard take(UInt8(ascii: ",")) else { return false }
    }
  }

  /// Goes through the elements of an array in the same way.
  package mutating func elements(_ body: (inout JSONCursor) -> Bool) -> Bool {
    guard take(UInt8(ascii: "[")) else { return false }
    if take(UInt8(ascii: "]")) { return true }
    while true {
      guard body(&self) else { return false }
      if take(UInt8(ascii: "]")) { return true }
      guard take(UInt8(ascii: ",")) else { return false }
    }
  }

  /// Goes over any value.
  package mutating func skipValue() -> Bool {
    /// The closing brackets of what is open.
    var open: [UInt8] = []
    repeat {
      skipBlanks()
      let first = next
      if first == UInt8(ascii: "{") || first == UInt8(ascii: "[") {
        guard open.count < JSONText.depthMaximum else { return false }
        place += 1
        // In ASCII, each closing bracket is two behind its opening one.
        if take(first + 2) {
          guard skipEnd(&open) else { return false }
          continue
        }
        open.append(first + 2)
        if first == UInt8(ascii: "{") {
          guard string() != nil, take(UInt8(ascii: ":")) else { return false }
        }
        continue
      }
      guard skipScalar(first), skipEnd(&open) else { return false }
    } while !open.isEmpty
    return true
  }

  /// Behind a value: closes what ends here, and goes to the next element or member.
  private mutating func skipEnd(_ open: inout [UInt8]) -> Bool {
    while let bracket = open.last {
      if take(bracket) {
        open.removeLast()
      } else if take(UInt8(ascii: ",")) {
        return bracket == UInt8(ascii: "]") || (string() != nil && take(UInt8(ascii: ":")))
      } else {
        return false
      }
    }
    return true
  }

  private mutating func skipScalar(_ first: UInt8) -> Bool {
    switch first {
    case UInt8(ascii: "\""): return string() != nil
    case UInt8(ascii: "t"): return skip("true")
    case UInt8(ascii: "f"): return skip("false")
    case UInt8(ascii: "n"): return skip("null")
    default: return skipNumber()
    }
  }

  private mutating func skip(_ word: StaticString) -> Bool {
    for index in 0..<word.utf8CodeUnitCount {
      guard unsafe next == word.utf8Start[index] else { return false }
      place += 1
    }
    return true
  }

  private mutating func skipNumber() -> Bool {
    if next == UInt8(ascii: "-") { place += 1 }
    if next == UInt8(ascii: "0") {
      place += 1
    } else if !skipDigits() {
      return false
    }
    if next == UInt8(ascii: ".") {
      place += 1
      guard skipDigits() else { return false }
    }
    if next | 0x20 == UInt8(ascii: "e") {
      place += 1
      if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { place += 1 }
      return skipDigits()
    }
    return true
  }

  private mutating func skipDigits() -> Bool {
    let start = place
    while next >= UInt8(ascii: "0"), next <= UInt8(ascii: "9") { place += 1 }
    return place > start
  }

  // MARK: Strings

  package mutating func string() -> Span? {
    guard take(UInt8(ascii: "\"")) else { return nil }
    let start = place
    var span = Span(range: start..<start, utf16Count: 0, hasEscapes: false)
    while true {
      let byte = next
      if byte == UInt8(ascii: "\"") {
        span.range = start..<place
        place += 1
        return span
      }
      if byte == UInt8(ascii: "\\") {
        span.hasEscapes = true
        guard skipEscape() else { return nil }
        span.utf16Count += 1
      } else if byte < 0x80 {
        guard byte >= 32 else { return nil }
        place += 1
        span.utf16Count += 1
      } else {
        let count = unsafe UTF8Text.characterByteCount(in: text, at: place)
        guard count > 0 else { return nil }
        place += count
        span.utf16Count += count == 4 ? 2 : 1
      }
    }
  }

  /// One escape is one code unit.
  private mutating func skipEscape() -> Bool {
    place += 1
    switch next {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"),
      UInt8(ascii: "t"), UInt8(ascii: "n"), UInt8(ascii: "f"), UInt8(ascii: "r"):
      place += 1
      return true
    case UInt8(ascii: "u"):
      for offset in 1...4 {
        guard unsafe place + offset < text.count,
          unsafe JSONText.hexValue(text[place + offset]) < 16
        else { return false }
      }
      place += 5
      return true
    default: return false
    }
  }

  /// Whether the string says this text, which is ASCII.
  package func equals(_ span: Span, _ word: StaticString) -> Bool {
    if span.hasEscapes {
      guard let bytes = bytes(of: span) else { return false }
      return unsafe bytes.elementsEqual(
        UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
    }
    guard span.range.count == word.utf8CodeUnitCount else { return false }
    for index in 0..<word.utf8CodeUnitCount {
      guard unsafe text[span.range.lowerBound + index] == word.utf8Start[index] else {
        return false
      }
    }
    return true
  }

  /// A value that is no string, array or object.
  package enum Word {
    case null
    case boolean(Bool)
    /// As it stands in the text.
    case number(String)
  }

  /// Goes over such a value. To be called where no other comes next.
  package mutating func word() -> Word? {
    skipBlanks()
    let start = place
    guard skipValue() else { return nil }
    let word = unsafe String(decoding: text[start..<place], as: UTF8.self)
    switch word {
    case "null": return .null
    case "true": return .boolean(true)
    case "false": return .boolean(false)
    default: return .number(word)
    }
  }

  /// The string's text in UTF-8; nil if it has a lone surrogate, which UTF-8 has not.
  package func bytes(of span: Span) -> [UInt8]? {
    let raw = unsafe UnsafeBufferPointer(rebasing: text[span.range])
    guard span.hasEscapes else { return unsafe Array(raw) }
    var scanner = unsafe JSONScanner(
      UnsafeBufferPointer(rebasing: text[span.range.lowerBound - 1..<span.range.upperBound + 1]))
    guard case .other(let form)? = scanner.root() else { return nil }
    return JSONText.bytes(ofString: form)
  }
}
