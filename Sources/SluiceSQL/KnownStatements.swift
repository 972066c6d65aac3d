// What a connection knows of the statements that its engine keeps compiled: their ids and the names
// of their columns, by text.

internal import CSluice

/// A text that the engine knows.
final class KnownStatement {
  let text: [UInt8]
  /// The engine's id; 0 while it has none.
  var id: UInt64 = 0
  var names: [[UInt8]] = []
  /// Whether the engine has answered it once.
  var isKnown = false
  /// The open cursors of its id: more than one where the engine was done with the rows of the first
  /// before that cursor was read. The id must not be executed meanwhile.
  var cursorCount = 0
  var isUnderWay: Bool { cursorCount > 0 }

  init(_ text: [UInt8]) { self.text = text }
}

/// A hash table of its own: the library needs libc alone, and Swift's Dictionary wants `ceil` of libm.
struct KnownStatements {
  /// Half full at most. A text's statement lies at its hash, or in the first free place behind it.
  private var table: [KnownStatement?] = []
  private var count = 0
  private var latest: KnownStatement?
  /// The engine keeps so many.
  private static let countMaximum = 256
  private static let placeMask = 511

  /// The statement of a text. Loops execute one again and again, so the last one is looked at
  /// first.
  @inline(__always)
  mutating func statement(_ text: UnsafeRawBufferPointer) -> KnownStatement {
    if let latest, unsafe isEqual(latest.text, text) { return latest }
    return unsafe find(text)
  }

  @inline(never)
  private mutating func find(_ text: UnsafeRawBufferPointer) -> KnownStatement {
    // The engine forgets the least used ones. To forget all is simpler, and as rare.
    if table.isEmpty || count >= Self.countMaximum {
      table = Array(repeating: nil, count: Self.placeMask + 1)
      count = 0
    }
    var place = unsafe hash(text) & Self.placeMask
    while let known = table[place] {
      if unsafe isEqual(known.text, text) {
        latest = known
        return known
      }
      place = (place + 1) & Self.placeMask
    }
    let new = unsafe KnownStatement([UInt8](text))
    table[place] = new
    count += 1
    latest = new
    return new
  }
}

/// A program chooses its own statements, so nobody has a reason to make them collide.
private func hash(_ text: UnsafeRawBufferPointer) -> Int {
  var hash: UInt64 = 0xcbf2_9ce4_8422_2325
  for index in 0..<text.count {
    hash = unsafe (hash ^ UInt64(text[index])) &* 0x100_0000_01b3
  }
  return Int(truncatingIfNeeded: hash >> 20)
}

@inline(__always)
private func isEqual(_ known: [UInt8], _ text: UnsafeRawBufferPointer) -> Bool {
  guard known.count == text.count else { return false }
  if known.isEmpty { return true }
  return unsafe known.withUnsafeBytes {
    unsafe memcmp($0.baseAddress!, text.baseAddress!, $0.count) == 0
  }
}
