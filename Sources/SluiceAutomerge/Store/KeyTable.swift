// The property names of a document, each once. Two names are equal if their bytes are; Swift's own
// strings would take "é" and "e" with an accent for one name.

struct KeyTable: Sendable {
  /// Where the bytes of each key stand in the document's contents.
  private(set) var ranges: [ByteRange] = []
  /// By key: its first eight bytes, which put most keys in order.
  private var prefixes: [UInt64] = []
  /// Open addressing: the index of a key, or `.max`. A power of two, at most half full.
  private var slots: [UInt32] = Array(repeating: .max, count: 16)

  var count: Int { ranges.count }

  /// The key with these bytes. `contents` is what the ranges point into.
  func index(of name: some Collection<UInt8>, in contents: [UInt8]) -> UInt32? {
    let slot = slots[slot(for: name, in: contents)]
    return slot == .max ? nil : slot
  }

  /// The key with these bytes, which are appended to `contents` if it is new.
  mutating func insert(_ name: some Collection<UInt8>, into contents: inout [UInt8]) -> UInt32 {
    let slot = slot(for: name, in: contents)
    if slots[slot] != .max { return slots[slot] }
    let index = UInt32(ranges.count)
    ranges.append(ByteRange(start: UInt32(contents.count), count: UInt32(name.count)))
    contents.append(contentsOf: name)
    prefixes.append(Self.prefix(of: name))
    slots[slot] = index
    if ranges.count * 2 > slots.count { rebuild(slotCount: slots.count * 2, contents) }
    return index
  }

  mutating func truncate(to count: Int, contents: [UInt8]) {
    guard count < ranges.count else { return }
    ranges.removeSubrange(count...)
    prefixes.removeSubrange(count...)
    rebuild(slotCount: slots.count, contents)
  }

  /// Whether the bytes of one key come before those of another.
  func precedes(_ left: UInt32, _ right: UInt32, in contents: [UInt8]) -> Bool {
    let first = prefixes[Int(left)]
    let second = prefixes[Int(right)]
    if first != second { return first < second }
    return contents[ranges[Int(left)].range]
      .lexicographicallyPrecedes(contents[ranges[Int(right)].range])
  }

  /// Shorter names are filled up with zeros.
  private static func prefix(of name: some Collection<UInt8>) -> UInt64 {
    var prefix: UInt64 = 0
    var count: UInt64 = 0
    for byte in name.prefix(8) {
      prefix = prefix << 8 | UInt64(byte)
      count += 1
    }
    // A shift by all 64 bits gives zero.
    return prefix << (64 - count * 8)
  }

  private func slot(for name: some Collection<UInt8>, in contents: [UInt8]) -> Int {
    var hasher = Hasher()
    for byte in name { hasher.combine(byte) }
    var slot = hasher.finalize() & (slots.count - 1)
    while slots[slot] != .max {
      let range = ranges[Int(slots[slot])]
      if Int(range.count) == name.count, contents[range.range].elementsEqual(name) { break }
      slot = (slot + 1) & (slots.count - 1)
    }
    return slot
  }

  private mutating func rebuild(slotCount: Int, _ contents: [UInt8]) {
    slots = Array(repeating: .max, count: slotCount)
    for index in ranges.indices {
      slots[slot(for: contents[ranges[index].range], in: contents)] = UInt32(index)
    }
  }
}
