// Delta columns: each number is written as its difference to the number before it, in runs.

struct DeltaReader {
  private var runs: RunReader<Int64>
  private var absolute: Int64 = 0

  init(_ bytes: [UInt8], _ range: Range<Int>) {
    runs = RunReader(bytes, range)
  }

  var isAtEnd: Bool { runs.isAtEnd }

  mutating func next() throws(AutomergeError) -> Int64? {
    guard let difference = try runs.next() else { return nil }
    // Times may lie further apart than 64 bits hold: the writer wraps, so the reader does.
    absolute &+= difference
    return absolute
  }

  /// An operation's counter: 32 bits, never negative.
  mutating func nextCounter() throws(AutomergeError) -> UInt32? {
    guard let number = try next() else { return nil }
    guard number >= 0 else { throw runs.error(.negativeNumber) }
    guard number <= UInt32.max else { throw runs.error(.counterTooLarge) }
    return UInt32(number)
  }
}

struct DeltaWriter {
  private var runs = RunWriter<Int64>()
  private var absolute: Int64 = 0

  var bytes: [UInt8] { runs.bytes }

  @inline(__always)
  func give(_ column: UInt32, to take: (UInt32, [UInt8]) -> Void) {
    runs.give(column, to: take)
  }

  mutating func append(_ value: Int64) {
    runs.append(value &- absolute)
    absolute = value
  }

  mutating func appendNull() { runs.appendNull() }
  mutating func finish() { runs.finish() }

  mutating func reset() {
    runs.reset()
    absolute = 0
  }
}
