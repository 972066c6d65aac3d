// The fuzzer's bytes, taken one after the other as numbers and choices. Beyond the end all bytes
// are zero.

struct FuzzInput {
  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var isEmpty: Bool { position >= bytes.count }

  mutating func byte() -> UInt8 {
    guard position < bytes.count else { return 0 }
    defer { position += 1 }
    return bytes[position]
  }

  mutating func flag() -> Bool { byte() & 1 == 1 }

  /// From 0 to `count` - 1.
  mutating func choice(_ count: Int) -> Int { Int(byte()) % count }

  mutating func number<T: FixedWidthInteger & UnsignedInteger>(_ type: T.Type = T.self) -> T {
    var value: T = 0
    for _ in 0..<MemoryLayout<T>.size { value = T(truncatingIfNeeded: value << 8) | T(byte()) }
    return value
  }

  /// A number that is probably at most `likely`, and often one of the limits; otherwise any number.
  mutating func size(_ likely: Int) -> UInt32 {
    switch choice(8) {
    case 0: 0
    case 1: UInt32(likely)
    case 2: UInt32(likely) &+ 1
    case 3: number()
    default: UInt32(Int(number(UInt16.self)) % (likely + 1))
    }
  }

  mutating func bytes(_ count: Int) -> [UInt8] {
    let end = min(bytes.count, position + count)
    defer { position = end }
    return Array(bytes[position..<end])
  }

  /// Some bytes; a byte before them gives their number.
  mutating func sequence() -> [UInt8] { bytes(Int(byte())) }
}
