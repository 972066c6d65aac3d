// Reads a JSON text once, from its begin to its end, and writes the form of its values
// (JSONText.swift). Each call that gives false has met something that is not JSON.

@safe
package struct JSONScanner {
  private let text: UnsafeBufferPointer<UInt8>
  private var place = 0

  package init(_ text: UnsafeBufferPointer<UInt8>) { unsafe self.text = unsafe text }

  /// The next byte; 0, which is never JSON, at the end.
  private var next: UInt8 { unsafe place < text.count ? text[place] : 0 }

  /// The whole text as one value.
  package mutating func root() -> JSONText.Root? {
    skipBlanks()
    if next == UInt8(ascii: "{") {
      guard let members = members() else { return nil }
      return isAtEnd() ? .object(members) : nil
    }
    var form: [UInt8] = []
    // As deep as a member's, so that {"value":…} around it is not too deep.
    return value(to: &form, depth: 1) && isAtEnd() ? .other(form) : nil
  }

  private mutating func isAtEnd() -> Bool {
    skipBlanks()
    return unsafe place == text.count
  }

  private mutating func members() -> [JSONText.Member]? {
    var members: [JSONText.Member] = []
    place += 1
    skipBlanks()
    if take(UInt8(ascii: "}")) { return members }
    while true {
      var member = JSONText.Member(name: [], value: [])
      guard name(to: &member.name), value(to: &member.value, depth: 1) else { return nil }
      members.append(member)
      skipBlanks()
      if take(UInt8(ascii: "}")) { return members }
      guard take(UInt8(ascii: ",")) else { return nil }
    }
  }

  private mutating func skipBlanks() {
    while true {
      switch next {
      case UInt8(ascii: " "), 9, 10, 13: place += 1
      default: return
      }
    }
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard unsafe next == byte && place < text.count else { return false }
    place += 1
    return true
  }

  /// A name and its colon, without the colon in the form.
  private mutating func name(to out: inout [UInt8]) -> Bool {
    skipBlanks()
    guard string(to: &out) else { return false }
    skipBlanks()
    return take(UInt8(ascii: ":"))
  }

  // MARK: Values

  /// A value that lies in `depth` arrays and objects.
  private mutating func value(to out: inout [UInt8], depth: Int) -> Bool {
    /// The closing brackets of what is open.
    var open: [UInt8] = []
    repeat {
      skipBlanks()
      let first = next
      if first == UInt8(ascii: "{") || first == UInt8(ascii: "[") {
        guard depth + open.count < JSONText.depthMaximum else { return false }
        place += 1
        out.append(first)
        // In ASCII, each closing bracket is two behind its opening one.
        open.append(first + 2)
        skipBlanks()
        if next != first + 2 {
          guard first == UInt8(ascii: "[") || nameWithColon(to: &out) else { return false }
          continue
        }
      } else if !scalar(to: &out) {
        return false
      }
      guard endOfValue(to: &out, &open) else { return false }
    } while !open.isEmpty
    return true
  }

  /// Behind a value: closes what ends here, and begins the next member or element if there is one.
  private mutating func endOfValue(to out: inout [UInt8], _ open: inout [UInt8]) -> Bool {
    while let bracket = open.last {
      skipBlanks()
      if take(bracket) {
        out.append(bracket)
        open.removeLast()
      } else if take(UInt8(ascii: ",")) {
        out.append(UInt8(ascii: ","))
        return bracket == UInt8(ascii: "]") || nameWithColon(to: &out)
      } else {
        return false
      }
    }
    return true
  }

  private mutating func nameWithColon(to out: inout [UInt8]) -> Bool {
    guard name(to: &out) else { return false }
    out.append(UInt8(ascii: ":"))
    return true
  }

  private mutating func scalar(to out: inout [UInt8]) -> Bool {
    switch next {
    case UInt8(ascii: "\""): string(to: &out)
    case UInt8(ascii: "t"): word("true", to: &out)
    case UInt8(ascii: "f"): word("false", to: &out)
    case UInt8(ascii: "n"): word("null", to: &out)
    default: number(to: &out)
    }
  }

  private mutating func word(_ word: StaticString, to out: inout [UInt8]) -> Bool {
    let start = place
    for index in 0..<word.utf8CodeUnitCount {
      guard take(unsafe word.utf8Start[index]) else { return false }
    }
    append(from: start, to: &out)
    return true
  }

  /// What was read since `start`, as it is.
  private func append(from start: Int, to out: inout [UInt8]) {
    unsafe out.append(contentsOf: UnsafeBufferPointer(rebasing: text[start..<place]))
  }

  private mutating func number(to out: inout [UInt8]) -> Bool {
    let start = place
    _ = take(UInt8(ascii: "-"))
    if !take(UInt8(ascii: "0")) {
      guard digits() else { return false }
    }
    if take(UInt8(ascii: ".")) {
      guard digits() else { return false }
    }
    if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
      if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
      guard digits() else { return false }
    }
    append(from: start, to: &out)
    return true
  }

  private mutating func digits() -> Bool {
    let start = place
    while next >= UInt8(ascii: "0"), next <= UInt8(ascii: "9") { place += 1 }
    return place > start
  }

  // MARK: Strings

  private mutating func string(to out: inout [UInt8]) -> Bool {
    guard take(UInt8(ascii: "\"")) else { return false }
    out.append(UInt8(ascii: "\""))
    var start = place
    while true {
      let byte = next
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
        append(from: start, to: &out)
        place += 1
        if byte == UInt8(ascii: "\"") {
          out.append(byte)
          return true
        }
        guard escape(to: &out) else { return false }
        start = place
      } else if byte >= 0x80 {
        let count = unsafe UTF8Text.characterByteCount(in: text, at: place)
        guard count > 0 else { return false }
        place += count
      } else {
        guard byte >= 32 else { return false }
        place += 1
      }
    }
  }

  /// What follows a backslash.
  private mutating func escape(to out: inout [UInt8]) -> Bool {
    let byte = next
    place += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"):
      JSONText.append(escaping: byte, to: &out)
    case UInt8(ascii: "b"): JSONText.append(escaping: 8, to: &out)
    case UInt8(ascii: "t"): JSONText.append(escaping: 9, to: &out)
    case UInt8(ascii: "n"): JSONText.append(escaping: 10, to: &out)
    case UInt8(ascii: "f"): JSONText.append(escaping: 12, to: &out)
    case UInt8(ascii: "r"): JSONText.append(escaping: 13, to: &out)
    case UInt8(ascii: "u"):
      guard let unit = hexDigits(at: place) else { return false }
      place += 4
      character(unit, to: &out)
    default: return false
    }
    return true
  }

  private mutating func character(_ unit: UInt32, to out: inout [UInt8]) {
    if unit < 0x80 { return JSONText.append(escaping: UInt8(unit), to: &out) }
    var character = unit
    if unit >= 0xd800, unit < 0xdc00,
      unsafe place + 6 <= text.count && text[place] == UInt8(ascii: "\\")
        && text[place + 1] == UInt8(ascii: "u"),
      let low = hexDigits(at: place + 2), low >= 0xdc00, low < 0xe000
    {
      place += 6
      character = 0x10000 + (unit - 0xd800) << 10 + (low - 0xdc00)
    }
    guard let scalar = Unicode.Scalar(character) else {
      return JSONText.append(numberOf: character, to: &out)
    }
    out.append(contentsOf: UTF8.encode(scalar)!)
  }

  private func hexDigits(at start: Int) -> UInt32? {
    guard unsafe start + 4 <= text.count else { return nil }
    var value: UInt32 = 0
    for index in start..<start + 4 {
      let digit = unsafe JSONText.hexValue(text[index])
      guard digit < 16 else { return nil }
      value = value << 4 | UInt32(digit)
    }
    return value
  }
}
