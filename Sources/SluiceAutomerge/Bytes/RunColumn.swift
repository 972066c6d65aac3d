// Run-length columns. The reader takes any form, never expands a run, and gives null beyond the end.
// The writer knows one form only: the greedy one, from the left.

struct RunReader<Item: RunItem> {
  private var reader: ByteReader
  private var remaining: UInt64 = 0
  private var kind = Kind.nulls
  private var item = Item.zero

  private enum Kind { case run, literal, nulls }

  init(_ bytes: [UInt8], _ range: Range<Int>) {
    reader = ByteReader(bytes, range)
  }

  var isAtEnd: Bool { remaining == 0 && reader.isAtEnd }

  func error(_ reason: AutomergeError.Reason) -> AutomergeError { reader.error(reason) }

  /// The next item; nil is a null, or the end.
  mutating func next() throws(AutomergeError) -> Item? {
    while remaining == 0 {
      if reader.isAtEnd { return nil }
      try begin()
    }
    remaining -= 1
    switch kind {
    case .nulls: return nil
    case .run: return item
    case .literal: return try Item.read(&reader)
    }
  }

  private mutating func begin() throws(AutomergeError) {
    let head = try reader.signed()
    if head > 0 {
      kind = .run
      remaining = UInt64(head)
      item = try Item.read(&reader)
    } else if head < 0 {
      kind = .literal
      remaining = head.magnitude
    } else {
      kind = .nulls
      remaining = try reader.unsigned()
    }
  }

  /// How many items follow. It takes time in proportion to the bytes, not to the items.
  func countOfItems() throws(AutomergeError) -> UInt64 {
    var copy = self
    var total = copy.remaining
    var isTooLarge = false
    while true {
      if copy.kind == .literal {
        while copy.remaining > 0 {
          _ = try Item.read(&copy.reader)
          copy.remaining -= 1
        }
      }
      if copy.reader.isAtEnd { return isTooLarge ? .max : total }
      try copy.begin()
      let (sum, overflow) = total.addingReportingOverflow(copy.remaining)
      total = sum
      isTooLarge = isTooLarge || overflow
    }
  }
}

struct RunWriter<Item: RunItem> {
  private(set) var bytes: [UInt8] = []
  /// Lone values before `last`, already written.
  private var literal: [UInt8] = []
  private var literalCount = 0
  private var last = Item.zero
  private var lastCount = 0
  private var nullCount = 0
  private var hasValue = false

  mutating func append(_ item: Item, from source: [UInt8] = []) {
    if nullCount > 0 { flushNulls() }
    hasValue = true
    if lastCount == 0 {
      last = item
      lastCount = 1
    } else if item.isSame(as: last, in: source) {
      if lastCount == 1 { flushLiteral() }
      lastCount += 1
    } else {
      if lastCount == 1 { addLastToLiteral(source) } else { flushRun(source) }
      last = item
      lastCount = 1
    }
  }

  mutating func appendNull(from source: [UInt8] = []) {
    if lastCount > 0 { flushValues(source) }
    nullCount += 1
  }

  /// Completes the column. It stays empty if all values are null.
  @inline(__always)
  mutating func finish(from source: [UInt8] = []) {
    if hasValue {
      flushValues(source)
      if nullCount > 0 { flushNulls() }
    }
    nullCount = 0
  }

  /// Hands the column over unless it is empty.
  @inline(__always)
  func give(_ column: UInt32, to take: (UInt32, [UInt8]) -> Void) {
    if hasValue { take(column, bytes) }
  }

  /// Begins another column, and keeps the memory.
  @inline(__always)
  mutating func reset() {
    if hasValue { bytes.removeAll(keepingCapacity: true) }
    hasValue = false
  }

  private mutating func addLastToLiteral(_ source: [UInt8]) {
    last.write(into: &literal, from: source)
    literalCount += 1
  }

  private mutating func flushValues(_ source: [UInt8]) {
    if lastCount == 1 {
      addLastToLiteral(source)
      flushLiteral()
    } else if lastCount > 1 {
      flushRun(source)
    }
    lastCount = 0
  }

  private mutating func flushLiteral() {
    guard literalCount > 0 else { return }
    bytes.append(signed: Int64(-literalCount))
    bytes.append(contentsOf: literal)
    literal.removeAll(keepingCapacity: true)
    literalCount = 0
  }

  private mutating func flushRun(_ source: [UInt8]) {
    bytes.append(signed: Int64(lastCount))
    last.write(into: &bytes, from: source)
  }

  private mutating func flushNulls() {
    bytes.append(signed: 0)
    bytes.append(unsigned: UInt64(nullCount))
    nullCount = 0
  }
}
