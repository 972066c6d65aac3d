// Regular expressions of `pattern`, matched in time linear in the text.
//
// JSON Schema means ECMAScript's. The system has none with a bound: libc's regcomp knows another
// syntax and backtracks, as do the C++ library's and Swift's own. So a pattern becomes a small
// nondeterministic automaton, and all its states go over the text at once (Thompson, 1968).
// References to groups and assertions that look around cannot be done so; they are refused.
//
// A pattern and a text are sequences of Unicode scalars (ECMAScript's flag u). It matches if it
// matches anywhere in the text.

/// A compiled pattern.
struct Pattern: Hashable, Sendable {
  /// One step of the automaton. Jumps are relative to the instruction.
  enum Instruction: Hashable, Sendable {
    case scalar(UInt32)
    /// Any but line ends.
    case anyInLine
    /// A scalar of `sets`.
    case set(Int)
    /// Goes on at both.
    case split(Int, Int)
    case jump(Int)
    case atStart, atEnd
    case atWordBoundary, offWordBoundary
    case accept
  }

  let source: String
  let program: [Instruction]
  let sets: [ScalarSet]

  /// More instructions are refused. A counted repetition is as many copies.
  static let instructionCountMax = 2000
  /// Groups within groups.
  static let depthMax = 100

  init(_ source: String) throws(PatternError) {
    self.source = source
    var parser = PatternParser(source)
    (program, sets) = try parser.parse()
  }

  static func == (left: Pattern, right: Pattern) -> Bool {
    left.source.utf8.elementsEqual(right.source.utf8)
  }

  func hash(into hasher: inout Hasher) { ExactText(source).hash(into: &hasher) }
}

/// Why a pattern is refused.
struct PatternError: Error, Hashable, Sendable {
  enum Reason: String, Sendable {
    case unbalancedGroup = "a parenthesis without its other"
    case unbalancedSet = "a bracket without its other"
    case nothingToRepeat = "nothing to repeat"
    case wrongRepetition = "a repetition with its least above its most"
    case wrongRange = "a range with its first behind its last"
    case wrongEscape = "an escape that means nothing"
    case unsupportedReference = "references to groups are not supported"
    case unsupportedAssertion = "assertions that look ahead or behind are not supported"
    case unsupportedProperty = "Unicode properties are not supported"
    case tooLarge = "too many states"
    case tooDeep = "too many groups in one another"
  }

  let reason: Reason
  /// Unicode scalars before the place of the fault.
  let offset: Int
}

/// A set of Unicode scalars.
struct ScalarSet: Hashable, Sendable {
  /// Ascending, apart from each other.
  private(set) var ranges: [ClosedRange<UInt32>]

  init(_ ranges: [ClosedRange<UInt32>], isInverted: Bool = false) {
    var merged: [ClosedRange<UInt32>] = []
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = merged.last, range.lowerBound <= last.upperBound &+ 1 {
        merged[merged.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
      } else {
        merged.append(range)
      }
    }
    self.ranges = merged
    if isInverted { self.ranges = inverted }
  }

  func contains(_ scalar: UInt32) -> Bool {
    var (low, high) = (0, ranges.count)
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound < scalar { low = middle + 1 } else { high = middle }
    }
    return low < ranges.count && ranges[low].lowerBound <= scalar
  }

  /// All that are not in the set.
  var inverted: [ClosedRange<UInt32>] {
    var result: [ClosedRange<UInt32>] = []
    var next: UInt32 = 0
    for range in ranges {
      if range.lowerBound > next { result.append(next...range.lowerBound - 1) }
      next = range.upperBound &+ 1
    }
    if next <= 0x10ffff { result.append(next...0x10ffff) }
    return result
  }

  static let digits = ScalarSet([0x30...0x39])
  static let wordScalars = ScalarSet([0x30...0x39, 0x41...0x5a, 0x5f...0x5f, 0x61...0x7a])
  /// ECMAScript's WhiteSpace and LineTerminator.
  static let spaces = ScalarSet([
    0x09...0x0d, 0x20...0x20, 0xa0...0xa0, 0x1680...0x1680, 0x2000...0x200a, 0x2028...0x2029,
    0x202f...0x202f, 0x205f...0x205f, 0x3000...0x3000, 0xfeff...0xfeff,
  ])
}
