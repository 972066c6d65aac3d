// Boolean columns: the lengths of alternating runs, beginning with the run of false.

struct BooleanReader {
  private var reader: ByteReader
  private var remaining: UInt64 = 0
  private var value = true

  init(_ bytes: [UInt8], _ range: Range<Int>) {
    reader = ByteReader(bytes, range)
  }

  var isAtEnd: Bool { remaining == 0 && reader.isAtEnd }

  /// The next value; beyond the end it is false.
  mutating func next() throws(AutomergeError) -> Bool {
    while remaining == 0 {
      if reader.isAtEnd { return false }
      remaining = try reader.unsigned()
      value.toggle()
    }
    remaining -= 1
    return value
  }
}

struct BooleanWriter {
  private(set) var bytes: [UInt8] = []
  private var value = false
  private var count: UInt64 = 0
  private(set) var hasTrue = false

  mutating func append(_ next: Bool) {
    if next != value {
      bytes.append(unsigned: count)
      count = 0
      value = next
      hasTrue = true
    }
    count += 1
  }

  mutating func finish() {
    if count > 0 { bytes.append(unsigned: count) }
    count = 0
  }

  mutating func reset() {
    if !bytes.isEmpty { bytes.removeAll(keepingCapacity: true) }
    value = false
    count = 0
    hasTrue = false
  }
}
