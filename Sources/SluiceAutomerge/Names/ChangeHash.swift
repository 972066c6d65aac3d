// The identity of a change: the SHA-256 of its uncompressed chunk.

internal import CCrypto

/// The SHA-256 by which a change is known. Written as 64 lower-case hexadecimal digits.
public struct ChangeHash: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The digest as four big-endian words, so that comparing words compares bytes.
  private var words: (UInt64, UInt64, UInt64, UInt64)

  /// The length of every hash.
  public static let byteCount = 32

  /// The hash of nothing, for a change whose hash is still to come.
  static let zero = ChangeHash(words: (0, 0, 0, 0))

  private init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

  /// Nil unless there are 32 bytes.
  public init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count == Self.byteCount else { return nil }
    words = (0, 0, 0, 0)
    var index = 0
    for byte in bytes {
      switch index / 8 {
      case 0: words.0 = words.0 << 8 | UInt64(byte)
      case 1: words.1 = words.1 << 8 | UInt64(byte)
      case 2: words.2 = words.2 << 8 | UInt64(byte)
      default: words.3 = words.3 << 8 | UInt64(byte)
      }
      index += 1
    }
  }

  /// Nil unless the text is 64 hexadecimal digits.
  public init?(hex: String) {
    guard let bytes = [UInt8](hex: hex) else { return nil }
    self.init(bytes)
  }

  /// The digest of the bytes from `start` to `end`, or of all behind `start`.
  init(digestOf bytes: [UInt8], from start: Int, to end: Int? = nil) {
    let range = start..<(end ?? bytes.count)
    var digest: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    unsafe bytes.withUnsafeBufferPointer { input in
      unsafe withUnsafeMutableBytes(of: &digest) { output in
        let hashed = unsafe UnsafeBufferPointer(rebasing: input[range])
        unsafe ccrypto_sha256(
          hashed.baseAddress, hashed.count,
          output.baseAddress?.assumingMemoryBound(to: UInt8.self))
      }
    }
    words = (
      UInt64(bigEndian: digest.0), UInt64(bigEndian: digest.1), UInt64(bigEndian: digest.2),
      UInt64(bigEndian: digest.3)
    )
  }

  /// The 32 bytes.
  public var bytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.byteCount)
    append(to: &bytes)
    return bytes
  }

  func append(to bytes: inout [UInt8]) {
    append(words.0, to: &bytes)
    append(words.1, to: &bytes)
    append(words.2, to: &bytes)
    append(words.3, to: &bytes)
  }

  private func append(_ word: UInt64, to bytes: inout [UInt8]) {
    unsafe withUnsafeBytes(of: word.bigEndian) { unsafe bytes.append(contentsOf: $0) }
  }

  /// Bits to find the hash in a table.
  var tableBits: UInt64 { words.0 }

  /// 64 lower-case hexadecimal digits.
  public var description: String { hexText(bytes) }

  /// Compares the bytes.
  public static func == (left: ChangeHash, right: ChangeHash) -> Bool {
    left.words == right.words
  }

  /// Compares the bytes.
  public static func < (left: ChangeHash, right: ChangeHash) -> Bool {
    left.words < right.words
  }

  /// Half of the bytes are enough.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(words.0)
    hasher.combine(words.1)
  }
}

/// Lower-case hexadecimal digits.
package func hexText(_ bytes: some Collection<UInt8>) -> String {
  unsafe String(unsafeUninitializedCapacity: bytes.count * 2) { text in
    var place = 0
    for byte in bytes {
      unsafe text[place] = hexDigit(byte >> 4)
      unsafe text[place + 1] = hexDigit(byte & 15)
      place += 2
    }
    return place
  }
}

private func hexDigit(_ nibble: UInt8) -> UInt8 {
  nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") - 10 + nibble
}

extension [UInt8] {
  /// Nil unless the text is pairs of hexadecimal digits.
  init?(hex: String) {
    self = []
    var high: UInt8?
    for digit in hex.utf8 {
      let value: UInt8
      switch digit {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): value = digit - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): value = digit - UInt8(ascii: "A") + 10
      default: return nil
      }
      if let first = high {
        append(first << 4 | value)
        high = nil
      } else {
        high = value
      }
    }
    if high != nil { return nil }
  }
}
