// Bytes as text and back: RFC 4648, section 4 with padding, and section 5 without. Each has one text
// for any bytes, and takes no other.

struct Base64 {
  /// With padding, as in JSON of plugins and changes.
  static let standard = Base64(lastDigits: "+/", isPadded: true)
  /// Without padding, as in JSON Web Tokens (RFC 7515).
  static let url = Base64(lastDigits: "-_", isPadded: false)

  private let digits: [UInt8]
  /// The value of each digit; 0xff for a byte that is none.
  private let values: [UInt8]
  private let isPadded: Bool

  private static let padding = UInt8(ascii: "=")

  private init(lastDigits: String, isPadded: Bool) {
    digits = Array(
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789\(lastDigits)".utf8)
    var values = [UInt8](repeating: 0xff, count: 256)
    for (value, digit) in digits.enumerated() { values[Int(digit)] = UInt8(value) }
    self.values = values
    self.isPadded = isPadded
  }

  func text(of bytes: [UInt8]) -> String {
    let count = isPadded ? (bytes.count + 2) / 3 * 4 : (bytes.count * 4 + 2) / 3
    return unsafe String(unsafeUninitializedCapacity: count) { text in
      var place = 0
      var index = 0
      while index < bytes.count {
        let left = bytes.count - index
        let second = left > 1 ? bytes[index + 1] : 0
        let third = left > 2 ? bytes[index + 2] : 0
        unsafe text[place] = digits[Int(bytes[index] >> 2)]
        unsafe text[place + 1] = digits[Int(bytes[index] & 3) << 4 | Int(second >> 4)]
        if isPadded || left > 1 {
          unsafe text[place + 2] =
            left > 1 ? digits[Int(second & 15) << 2 | Int(third >> 6)] : Self.padding
        }
        if isPadded || left > 2 {
          unsafe text[place + 3] = left > 2 ? digits[Int(third & 63)] : Self.padding
        }
        index += 3
        place += 4
      }
      return count
    }
  }

  /// nil if it is not what `text(of:)` makes.
  func bytes(of text: [UInt8]) -> [UInt8]? {
    var digits = text[...]
    // The padding that stands there, or would.
    var paddingCount = 0
    if isPadded {
      guard digits.count % 4 == 0 else { return nil }
      while paddingCount < 2, digits.last == Self.padding {
        digits.removeLast()
        paddingCount += 1
      }
    } else {
      paddingCount = -digits.count & 3
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(digits.count / 4 * 3 + 2)
    var bits: UInt32 = 0
    var bitCount: UInt32 = 0
    for digit in digits {
      let value = values[Int(digit)]
      guard value != 0xff else { return nil }
      bits = bits << 6 | UInt32(value)
      bitCount += 6
      if bitCount >= 8 {
        bitCount -= 8
        bytes.append(UInt8(truncatingIfNeeded: bits >> bitCount))
        bits &= (1 << bitCount) - 1
      }
    }
    // What is left over are zeros, of less than a digit.
    guard bits == 0, bitCount == UInt32(paddingCount) * 2 else { return nil }
    return bytes
  }
}
