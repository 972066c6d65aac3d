// Bytes as a number in base 58, with Bitcoin's digits: multibase's "z" (base58btc). A leading zero byte
// is a leading "1".
//
// The time grows with the square of the length. So whoever reads a text bounds its length first.

enum Base58 {
  private static let digits = Array(
    "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz".utf8)

  /// The value of each digit; 0xff for a byte that is none.
  private static let values: [UInt8] = {
    var values = [UInt8](repeating: 0xff, count: 256)
    for (value, digit) in digits.enumerated() { values[Int(digit)] = UInt8(value) }
    return values
  }()

  static func text(of bytes: [UInt8]) -> String {
    let number = converted(bytes, from: 256, to: 58)
    return String(decoding: number.map { digits[Int($0)] }, as: UTF8.self)
  }

  /// Nil if a byte is no digit.
  static func bytes(of text: some Collection<UInt8>) -> [UInt8]? {
    let number = text.map { values[Int($0)] }
    return number.contains(0xff) ? nil : converted(number, from: 58, to: 256)
  }

  /// The same number with other digits, and as many leading zeros. The most significant digit is first.
  private static func converted(_ number: [UInt8], from base: Int, to newBase: Int) -> [UInt8] {
    let zeroCount = number.prefix { $0 == 0 }.count
    /// The least significant first.
    var result: [UInt8] = []
    for digit in number[zeroCount...] {
      var carry = Int(digit)
      for index in result.indices {
        carry += Int(result[index]) * base
        result[index] = UInt8(carry % newBase)
        carry /= newBase
      }
      while carry > 0 {
        result.append(UInt8(carry % newBase))
        carry /= newBase
      }
    }
    return [UInt8](repeating: 0, count: zeroCount) + result.reversed()
  }
}
