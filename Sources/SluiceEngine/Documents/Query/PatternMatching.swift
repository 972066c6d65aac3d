// A pattern's automaton over a text: each scalar of the text moves all states at once. The time is
// at most the length of the text times the number of states, and is bounded by a meter.

extension Pattern {
  /// Whether the pattern matches somewhere in the text; nil if the meter ran out before it was known.
  func matches(_ text: String, _ meter: inout StepMeter) -> Bool? {
    var run = Run(pattern: self)
    var previous: UInt32?
    var iterator = text.unicodeScalars.makeIterator()
    var next = iterator.next()?.value
    repeat {
      // A match may begin at each place.
      run.start(between: previous, and: next)
      if run.isAccepted { return true }
      guard meter.take(run.stepCount) else { return nil }
      guard let scalar = next else { return false }
      previous = scalar
      next = iterator.next()?.value
      run.advance(over: scalar, followedBy: next)
      if run.isAccepted { return true }
      guard meter.take(run.stepCount) else { return nil }
    } while true
  }

  private struct Run {
    let pattern: Pattern
    /// The states that wait for the next scalar.
    private var states: [Int] = []
    /// The turn in which each state was entered last.
    private var turns: [Int]
    private var turn = 1
    private var open: [Int] = []
    private(set) var isAccepted = false
    /// What the last call did.
    private(set) var stepCount = 0

    init(pattern: Pattern) {
      self.pattern = pattern
      turns = [Int](repeating: 0, count: pattern.program.count)
    }

    mutating func start(between previous: UInt32?, and next: UInt32?) {
      stepCount = 1
      enter(0, previous, next)
    }

    mutating func advance(over scalar: UInt32, followedBy next: UInt32?) {
      let old = states
      stepCount = 1 + old.count
      states = []
      turn += 1
      for state in old where takes(state, scalar) { enter(state + 1, scalar, next) }
    }

    private func takes(_ state: Int, _ scalar: UInt32) -> Bool {
      switch pattern.program[state] {
      case .scalar(let wanted): wanted == scalar
      case .anyInLine: scalar != 10 && scalar != 13 && scalar != 0x2028 && scalar != 0x2029
      case .set(let index): pattern.sets[index].contains(scalar)
      default: false
      }
    }

    /// Adds a state and all that can be reached from it without a scalar.
    private mutating func enter(_ state: Int, _ previous: UInt32?, _ next: UInt32?) {
      open.append(state)
      while let state = open.popLast() {
        if turns[state] == turn { continue }
        turns[state] = turn
        stepCount += 1
        switch pattern.program[state] {
        case .scalar, .anyInLine, .set: states.append(state)
        case .split(let first, let second):
          open.append(state + second)
          open.append(state + first)
        case .jump(let distance): open.append(state + distance)
        case .atStart: if previous == nil { open.append(state + 1) }
        case .atEnd: if next == nil { open.append(state + 1) }
        case .atWordBoundary:
          if Self.isWord(previous) != Self.isWord(next) { open.append(state + 1) }
        case .offWordBoundary:
          if Self.isWord(previous) == Self.isWord(next) { open.append(state + 1) }
        case .accept: isAccepted = true
        }
      }
    }

    private static func isWord(_ scalar: UInt32?) -> Bool {
      scalar.map { ScalarSet.wordScalars.contains($0) } ?? false
    }
  }
}
