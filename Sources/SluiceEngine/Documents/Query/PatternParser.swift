// Makes the automaton of a pattern. Groups wait on a list, not on the stack.

struct PatternParser {
  private let text: [Unicode.Scalar]
  private var place = 0
  private var sets: [ScalarSet] = []
  private var setIndices: [ScalarSet: Int] = [:]

  /// A group of which the end has not been read; the first one is the pattern.
  private struct Group {
    var start: Int
    /// The alternatives before the one that is read.
    var alternatives: [[Pattern.Instruction]] = []
    /// Of the alternatives, with what leads to them.
    var instructionCount = 0
    var current: [Pattern.Instruction] = []
    /// Where what a repetition would repeat begins in `current`.
    var atom: Int?
  }

  init(_ source: String) { text = Array(source.unicodeScalars) }

  mutating func parse() throws(PatternError) -> ([Pattern.Instruction], [ScalarSet]) {
    var groups = [Group(start: 0)]
    while place < text.count {
      switch text[place] {
      case "(":
        guard groups.count <= Pattern.depthMax else { throw error(.tooDeep) }
        groups.append(Group(start: place))
        place += 1
        try readGroupKind()
      case ")":
        guard groups.count > 1 else { throw error(.unbalancedGroup) }
        let body = Self.joined(groups.removeLast())
        place += 1
        try append(body, to: &groups)
      case "|":
        try beginAlternative(&groups[groups.count - 1])
        place += 1
      default:
        let start = place
        if let (least, most) = readRepetition() {
          guard repeatAtom(&groups[groups.count - 1], least, most) else {
            throw repetitionError(groups[groups.count - 1], least, most, at: start)
          }
        } else if let assertion = readAssertion() {
          groups[groups.count - 1].current.append(assertion)
          groups[groups.count - 1].atom = nil
        } else {
          try append([readAtom()], to: &groups)
        }
      }
    }
    guard groups.count == 1 else {
      throw PatternError(reason: .unbalancedGroup, offset: groups[groups.count - 1].start)
    }
    let program = Self.joined(groups[0]) + [.accept]
    guard program.count <= Pattern.instructionCountMax else { throw error(.tooLarge) }
    return (program, sets)
  }

  private func error(_ reason: PatternError.Reason) -> PatternError {
    PatternError(reason: reason, offset: place)
  }

  private func append(_ atom: [Pattern.Instruction], to groups: inout [Group]) throws(PatternError)
  {
    let top = groups.count - 1
    guard groups[top].current.count + atom.count <= Pattern.instructionCountMax else {
      throw error(.tooLarge)
    }
    groups[top].atom = groups[top].current.count
    groups[top].current += atom
  }

  // MARK: Groups and repetitions

  /// Behind the opening parenthesis: `?:` or the name of a group. Names have no meaning here.
  private mutating func readGroupKind() throws(PatternError) {
    guard place < text.count, text[place] == "?" else { return }
    switch peek(1) {
    case ":": place += 2
    case "<":
      if peek(2) == "=" || peek(2) == "!" { throw error(.unsupportedAssertion) }
      guard let end = text[place...].firstIndex(of: ">") else { throw error(.unbalancedGroup) }
      place = end + 1
    case "=", "!": throw error(.unsupportedAssertion)
    default: throw error(.nothingToRepeat)
    }
  }

  private func beginAlternative(_ group: inout Group) throws(PatternError) {
    group.instructionCount += group.current.count + 2
    guard group.instructionCount <= Pattern.instructionCountMax else { throw error(.tooLarge) }
    group.alternatives.append(group.current)
    group.current = []
    group.atom = nil
  }

  private func peek(_ offset: Int) -> Unicode.Scalar? {
    place + offset < text.count ? text[place + offset] : nil
  }

  /// The alternatives of a group as one fragment.
  private static func joined(_ group: Group) -> [Pattern.Instruction] {
    // From the last to the first, so that each is built in before the rest.
    var result = group.current
    for alternative in group.alternatives.reversed() {
      result =
        [.split(1, alternative.count + 2)] + alternative + [.jump(result.count + 1)] + result
    }
    return result
  }

  /// `*`, `+`, `?` or `{…}`, with the `?` that makes it lazy, which changes no verdict.
  private mutating func readRepetition() -> (least: Int, most: Int?)? {
    var result: (Int, Int?)
    switch text[place] {
    case "*": result = (0, nil)
    case "+": result = (1, nil)
    case "?": result = (0, 1)
    case "{":
      // Other braces stand for themselves.
      guard let (least, most, end) = readCounts() else { return nil }
      result = (least, most)
      place = end - 1
    default: return nil
    }
    place += 1
    if peek(0) == "?" { place += 1 }
    return result
  }

  /// `{2}`, `{2,}` or `{2,3}`, and where it ends.
  private func readCounts() -> (least: Int, most: Int?, end: Int)? {
    var position = place + 1
    func number() -> (Int, Int)? {
      var (value, next) = (0, position)
      while next < text.count, text[next] >= "0", text[next] <= "9" {
        // More than can be copied is as good as any.
        value = min(value * 10 + Int(text[next].value - 0x30), Pattern.instructionCountMax + 1)
        next += 1
      }
      return next > position ? (value, next) : nil
    }
    guard let (least, afterLeast) = number(), afterLeast < text.count else { return nil }
    if text[afterLeast] == "}" { return (least, least, afterLeast + 1) }
    guard text[afterLeast] == ",", afterLeast + 1 < text.count else { return nil }
    if text[afterLeast + 1] == "}" { return (least, nil, afterLeast + 2) }
    position = afterLeast + 1
    guard let (most, afterMost) = number(), afterMost < text.count, text[afterMost] == "}" else {
      return nil
    }
    return (least, most, afterMost + 1)
  }

  private func repetitionError(
    _ group: Group, _ least: Int, _ most: Int?, at offset: Int
  ) -> PatternError {
    if group.atom == nil { return PatternError(reason: .nothingToRepeat, offset: offset) }
    let isWrong = most.map { $0 < least } ?? false
    return PatternError(reason: isWrong ? .wrongRepetition : .tooLarge, offset: offset)
  }

  /// False if it cannot be repeated so.
  private func repeatAtom(_ group: inout Group, _ least: Int, _ most: Int?) -> Bool {
    guard let start = group.atom, least <= most ?? least else { return false }
    let atom = Array(group.current[start...])
    let copyCount = max(most ?? least, 1)
    // Within bounds each: at most 2,000 instructions, 2,001 times.
    guard start + (atom.count + 2) * copyCount <= Pattern.instructionCountMax else {
      return false
    }
    group.current.removeSubrange(start...)
    for _ in 0..<least { group.current += atom }
    if let most {
      // Each further copy may be left out with all behind it.
      for rest in stride(from: most - least, to: 0, by: -1) {
        group.current.append(.split(1, rest * (atom.count + 1)))
        group.current += atom
      }
    } else {
      group.current.append(.split(1, atom.count + 2))
      group.current += atom
      group.current.append(.jump(-atom.count - 1))
    }
    group.atom = nil
    return true
  }

  // MARK: Atoms

  private mutating func readAssertion() -> Pattern.Instruction? {
    switch text[place] {
    case "^":
      place += 1
      return .atStart
    case "$":
      place += 1
      return .atEnd
    case "\\" where peek(1) == "b" || peek(1) == "B":
      place += 2
      return text[place - 1] == "b" ? .atWordBoundary : .offWordBoundary
    default: return nil
    }
  }

  private mutating func readAtom() throws(PatternError) -> Pattern.Instruction {
    switch text[place] {
    case ".":
      place += 1
      return .anyInLine
    case "[": return try readSet()
    case "\\":
      switch try readEscape(inSet: false) {
      case .scalar(let scalar): return .scalar(scalar)
      case .set(let set): return index(of: set)
      }
    default:
      place += 1
      return .scalar(text[place - 1].value)
    }
  }

  private mutating func index(of set: ScalarSet) -> Pattern.Instruction {
    if let index = setIndices[set] { return .set(index) }
    sets.append(set)
    setIndices[set] = sets.count - 1
    return .set(sets.count - 1)
  }

  private mutating func readSet() throws(PatternError) -> Pattern.Instruction {
    let start = place
    place += 1
    let isInverted = peek(0) == "^"
    if isInverted { place += 1 }
    var ranges: [ClosedRange<UInt32>] = []
    while let next = peek(0), next != "]" {
      switch try readSetMember() {
      case .set(let set): ranges += set.ranges
      case .scalar(let first):
        guard peek(0) == "-", let behind = peek(1), behind != "]" else {
          ranges.append(first...first)
          continue
        }
        place += 1
        switch try readSetMember() {
        case .scalar(let last):
          guard first <= last else { throw error(.wrongRange) }
          ranges.append(first...last)
        case .set: throw error(.wrongRange)
        }
      }
    }
    guard peek(0) == "]" else {
      throw PatternError(reason: .unbalancedSet, offset: start)
    }
    place += 1
    return index(of: ScalarSet(ranges, isInverted: isInverted))
  }

  private enum Member {
    case scalar(UInt32)
    case set(ScalarSet)
  }

  private mutating func readSetMember() throws(PatternError) -> Member {
    if text[place] == "\\" { return try readEscape(inSet: true) }
    place += 1
    return .scalar(text[place - 1].value)
  }

  private mutating func readEscape(inSet isInSet: Bool) throws(PatternError) -> Member {
    guard let letter = peek(1) else { throw error(.wrongEscape) }
    let start = place
    place += 2
    switch letter {
    case "d": return .set(.digits)
    case "D": return .set(ScalarSet(ScalarSet.digits.inverted))
    case "w": return .set(.wordScalars)
    case "W": return .set(ScalarSet(ScalarSet.wordScalars.inverted))
    case "s": return .set(.spaces)
    case "S": return .set(ScalarSet(ScalarSet.spaces.inverted))
    case "t": return .scalar(9)
    case "n": return .scalar(10)
    case "v": return .scalar(11)
    case "f": return .scalar(12)
    case "r": return .scalar(13)
    case "b" where isInSet: return .scalar(8)
    case "0" where !(peek(0).map { $0 >= "0" && $0 <= "9" } ?? false): return .scalar(0)
    case "c":
      if let control = peek(0), Self.isLetter(control) {
        place += 1
        return .scalar(control.value & 31)
      }
    case "x": if let value = readDigits(2) { return .scalar(value) }
    case "u": if let value = readUnicodeEscape() { return .scalar(value) }
    case "p", "P": throw PatternError(reason: .unsupportedProperty, offset: start)
    case "k", "1"..."9": throw PatternError(reason: .unsupportedReference, offset: start)
    default:
      // Only what is no letter may be escaped for nothing.
      if !Self.isLetter(letter) { return .scalar(letter.value) }
    }
    throw PatternError(reason: .wrongEscape, offset: start)
  }

  /// `1234`, `{1f600}` or two halves of a surrogate pair.
  private mutating func readUnicodeEscape() -> UInt32? {
    if peek(0) == "{" {
      guard let end = text[place...].firstIndex(of: "}"), (2...7).contains(end - place) else {
        return nil
      }
      place += 1
      guard let value = readDigits(end - place), value <= 0x10ffff else { return nil }
      place += 1
      return value
    }
    guard let first = readDigits(4) else { return nil }
    let mark = place
    if (0xd800..<0xdc00).contains(first), peek(0) == "\\", peek(1) == "u" {
      place += 2
      if let second = readDigits(4), (0xdc00..<0xe000).contains(second) {
        return 0x10000 + (first - 0xd800) << 10 + (second - 0xdc00)
      }
      place = mark
    }
    return first
  }

  private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
    ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar)
  }

  private mutating func readDigits(_ count: Int) -> UInt32? {
    guard place + count <= text.count else { return nil }
    var value: UInt32 = 0
    for digit in text[place..<place + count] {
      guard digit.isASCII, let number = Character(digit).hexDigitValue else { return nil }
      value = value << 4 | UInt32(number)
    }
    place += count
    return value
  }
}
