// Checks UTF-8 that comes in pieces. It refuses at the first byte that no text can have there: longer
// forms than needed, surrogates and what is above U+10FFFF too (RFC 3629).

struct UTF8Stream: Sendable {
  /// How many bytes the character still needs.
  private var neededCount = 0
  /// What the next of them may be.
  private var next: ClosedRange<UInt8> = 0x80...0xbf

  /// Whether no character is half there.
  var isWhole: Bool { neededCount == 0 }

  /// False at the first wrong byte. Then the stream is of no use any more.
  mutating func accept(_ bytes: ArraySlice<UInt8>) -> Bool {
    for byte in bytes {
      if neededCount > 0 {
        guard next.contains(byte) else { return false }
        neededCount -= 1
        next = 0x80...0xbf
      } else if byte >= 0x80 {
        guard begin(byte) else { return false }
      }
    }
    return true
  }

  private mutating func begin(_ byte: UInt8) -> Bool {
    switch byte {
    case 0xc2...0xdf: neededCount = 1
    case 0xe0...0xef: neededCount = 2
    case 0xf0...0xf4: neededCount = 3
    default: return false
    }
    switch byte {
    case 0xe0: next = 0xa0...0xbf
    case 0xed: next = 0x80...0x9f
    case 0xf0: next = 0x90...0xbf
    case 0xf4: next = 0x80...0x8f
    default: next = 0x80...0xbf
    }
    return true
  }
}
