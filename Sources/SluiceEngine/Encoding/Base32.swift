// Bytes as text: RFC 4648, section 6, in lower case and without padding (multibase's "b").

enum Base32 {
  private static let digits = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)

  static func text(of bytes: some Sequence<UInt8>) -> String {
    var text: [UInt8] = []
    var bits: UInt32 = 0
    var bitCount: UInt32 = 0
    for byte in bytes {
      bits = bits << 8 | UInt32(byte)
      bitCount += 8
      while bitCount >= 5 {
        bitCount -= 5
        text.append(digits[Int(bits >> bitCount & 31)])
      }
      bits &= 31
    }
    if bitCount > 0 { text.append(digits[Int(bits << (5 - bitCount) & 31)]) }
    return String(decoding: text, as: UTF8.self)
  }
}
