// Bytes as text and back: RFC 4648, section 4, with padding.

enum Base64 {
  private static let digits = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  /// The value of each digit; 0xff for a byte that is none.
  private static let values: [UInt8] = {
    var values = [UInt8](repeating: 0xff, count: 256)
    for (value, digit) in digits.enumerated() { values[Int(digit)] = UInt8(value) }
    return values
  }()

  private static let padding = UInt8(ascii: "=")

  static func text(of bytes: [UInt8]) -> String {
    let count = (bytes.count + 2) / 3 * 4
    return unsafe String(unsafeUninitializedCapacity: count) { text in
      var place = 0
      var index = 0
      while index < bytes.count {
        let left = bytes.count - index
        let second = left > 1 ? bytes[index + 1] : 0
        let third = left > 2 ? bytes[index + 2] : 0
        unsafe text[place] = digits[Int(bytes[index] >> 2)]
        unsafe text[place + 1] = digits[Int(bytes[index] & 3) << 4 | Int(second >> 4)]
        unsafe text[place + 2] =
          left > 1 ? digits[Int(second & 15) << 2 | Int(third >> 6)] : padding
        unsafe text[place + 3] = left > 2 ? digits[Int(third & 63)] : padding
        index += 3
        place += 4
      }
      return count
    }
  }

  /// nil if it is not what `text(of:)` makes.
  static func bytes(of text: [UInt8]) -> [UInt8]? {
    var digits = text[...]
    guard digits.count % 4 == 0 else { return nil }
    var paddingCount = 0
    while paddingCount < 2, digits.last == padding {
      digits.removeLast()
      paddingCount += 1
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
