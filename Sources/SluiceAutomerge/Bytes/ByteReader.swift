// Reads numbers and byte strings from a part of an array. It never reads beyond the part, and refuses
// every number that has a shorter form.

/// A part of some bytes. It holds offsets only; whoever uses it knows the bytes.
struct ByteRange: Hashable, Sendable {
  var start: UInt32
  var count: UInt32

  static let none = ByteRange(start: .max, count: 0)

  var isNone: Bool { start == .max }
  var range: Range<Int> { Int(start)..<Int(start) + Int(count) }
}

struct ByteReader {
  let bytes: [UInt8]
  private(set) var position: Int
  let end: Int

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    position = 0
    end = bytes.count
  }

  init(_ bytes: [UInt8], _ range: Range<Int>) {
    self.bytes = bytes
    position = range.lowerBound
    end = range.upperBound
  }

  var isAtEnd: Bool { position == end }
  var remaining: Range<Int> { position..<end }

  func error(_ reason: AutomergeError.Reason) -> AutomergeError {
    AutomergeError(reason, .init(byteOffset: position))
  }

  mutating func byte() throws(AutomergeError) -> UInt8 {
    guard position < end else { throw error(.truncated) }
    defer { position += 1 }
    return bytes[position]
  }

  /// An unsigned LEB128 number of at most 64 bits.
  mutating func unsigned() throws(AutomergeError) -> UInt64 {
    let first = try byte()
    if first < 0x80 { return UInt64(first) }
    var value = UInt64(first & 0x7f)
    var shift: UInt64 = 7
    while true {
      let next = try byte()
      if shift == 63, next > 1 { throw error(.numberTooLarge) }
      value |= UInt64(next & 0x7f) << shift
      if next < 0x80 {
        if next == 0 { throw error(.overlongNumber) }
        return value
      }
      shift += 7
    }
  }

  /// A signed LEB128 number of at most 64 bits.
  mutating func signed() throws(AutomergeError) -> Int64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    var previous: UInt8 = 0
    while true {
      let next = try byte()
      if shift == 63, next != 0, next != 0x7f { throw error(.numberTooLarge) }
      value |= UInt64(next & 0x7f) << shift
      shift += 7
      if next < 0x80 {
        // The last byte must say more than the sign that the byte before it says already.
        let repeatsSign = next == 0 && previous & 0x40 == 0 || next == 0x7f && previous & 0x40 != 0
        if shift > 7, repeatsSign { throw error(.overlongNumber) }
        if shift < 64, next & 0x40 != 0 { value |= ~0 << shift }
        return Int64(bitPattern: value)
      }
      previous = next
    }
  }

  /// A count of things of which each takes at least `byteCount` bytes, so that a count beyond the
  /// data is refused before room is made.
  mutating func count(ofAtLeast byteCount: Int) throws(AutomergeError) -> Int {
    let count = try unsigned()
    guard count <= UInt64((end - position) / byteCount) else { throw error(.truncated) }
    return Int(count)
  }

  mutating func take(_ count: UInt64) throws(AutomergeError) -> Range<Int> {
    guard count <= UInt64(end - position) else { throw error(.truncated) }
    defer { position += Int(count) }
    return position..<position + Int(count)
  }

  /// A byte string with its length before it.
  mutating func lengthPrefixed() throws(AutomergeError) -> ByteRange {
    let range = try take(unsigned())
    return ByteRange(start: UInt32(range.lowerBound), count: UInt32(range.count))
  }

  mutating func text() throws(AutomergeError) -> ByteRange {
    let range = try lengthPrefixed()
    guard isUTF8(bytes, range.range) else { throw error(.invalidUTF8) }
    return range
  }
}

/// Whether the bytes are UTF-8.
func isUTF8(_ bytes: [UInt8], _ range: Range<Int>) -> Bool {
  guard let first = range.first(where: { bytes[$0] >= 0x80 }) else { return true }
  var decoder = UTF8()
  var iterator = bytes[first..<range.upperBound].makeIterator()
  while true {
    switch decoder.decode(&iterator) {
    case .scalarValue: continue
    case .emptyInput: return true
    case .error: return false
    }
  }
}
