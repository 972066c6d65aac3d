// The line by chance: every answer and notice against PlainLine, and a day at a lock in a time of
// the test's own, in which nobody sleeps for ever.

import SluiceWire
import TestSupport
import Testing

@testable import SluiceFiles

struct LineModelTests {
  private static let locks: [AwaitedLock] = [
    .reserved, .reserved, .walWrite, .file(.shared), .file(.exclusive), .walIndexShared(8),
  ]

  /// The line and the rules, one step after the other.
  private struct Pair {
    var line = Line<Int>()
    var model = PlainLine()
    var now: Int64 = 1_000_000_000

    /// What the line answers, what it must answer, and the notices that it must have. `number` is
    /// that of the step.
    mutating func step(
      _ action: Int, _ holder: UInt64, _ lock: AwaitedLock, _ coin: Bool, number: Int
    ) -> (answer: String, expected: String, notices: [PlainLine.Notice]) {
      var (answer, expected) = ("", "")
      var notices: [PlainLine.Notice] = []
      switch action {
      case 0..<4:
        let waiter = action == 0 ? nil : number
        line.enter(holder, lock, waiter, isReader: coin, now: now)
        model.enter(holder, lock, waiter, isReader: coin, now: now)
      case 4:
        line.rest(holder, now: now)
        model.rest(holder, now: now)
      case 5:
        line.leave(holder, now: now)
        notices = model.leave(holder, now: now)
      case 6:
        answer = "\(line.letTurnStand(for: holder, now: now))"
        let told = model.letTurnStand(for: holder, now: now)
        (expected, notices) = ("\(told.0)", told.1)
      case 7:
        line.endStanding()
        model.endStanding()
      case 8..<11:
        answer = "\(String(describing: line.wait(of: holder, isTaken: coin, now: now)))"
        expected = "\(String(describing: model.wait(of: holder, isTaken: coin, now: now)))"
      case 11:
        line.call(holder, hasWaited: coin, now: now)
        model.call(holder, hasWaited: coin, now: now)
      case 12:
        answer = "\(line.mayTake(holder, now: now))"
        expected = "\(model.mayTake(holder, now: now))"
      case 18:
        line.leaves(holder)
        model.leaves(holder)
      case 13..<15:
        line.taken(by: holder, now: now)
        notices = model.taken(by: holder, now: now)
      case 15:
        line.released(by: holder, isMirrored: coin, now: now)
        notices = model.released(by: holder, isMirrored: coin, now: now)
      case 16:
        line.notifyFirst(isTaken: coin, now: now)
        notices = model.notifyFirst(isTaken: coin, now: now)
      default:
        if coin { line.notifyOthers(now: now) } else { line.notifyReaders(now: now) }
        notices = coin ? model.notifyOthers(now: now) : model.notifyReaders(now: now)
      }
      return (answer, expected, notices)
    }
  }

  /// Any steps in any order, also such as never follow each other in a sidecar.
  @Test func randomStepsAgreeWithTheRules() throws {
    var random = SeededRandom(for: "LineModelTests.randomStepsAgreeWithTheRules")
    var pair = Pair()
    var trace: [String] = []
    var counts: [String: Int] = [:]
    var recent: UInt64 = 1
    for number in 0..<60_000 {
      let scale = [0, 10_000, 100_000, 1_000_000, 20_000_000].randomElement(using: &random)!
      pair.now += Int64.random(in: 0...Int64(scale), using: &random)
      // Half of the time the one that had the lock last, so that turns go on.
      let isRecent = Bool.random(using: &random)
      let holder = isRecent ? recent : UInt64.random(in: 1...6, using: &random)
      let coin = Bool.random(using: &random)
      let lock = Self.locks.randomElement(using: &random)!
      let action = Int.random(in: 0..<19, using: &random)
      let (answer, expected, notices) = pair.step(action, holder, lock, coin, number: number)
      if 13..<15 ~= action { recent = holder }
      trace.append("\(pair.now): \(action) \(holder) \(lock) \(coin) → \(expected)")
      try #require(answer == expected, "\(trace.suffix(20))")
      var told: [PlainLine.Notice] = []
      pair.line.takeNotices { told.append(PlainLine.Notice(waiter: $0, lookAt: $1)) }
      try #require(told == notices, "\(trace.suffix(20))")
      pair.line.takeNotices { _, _ in Issue.record("a notice is given once") }
      try #require(pair.line.isIdle == pair.model.isIdle, "\(trace.suffix(20))")
      let (stands, mustStand) = (
        pair.line.standsUntil(pair.now), pair.model.standsUntil(pair.now)
      )
      try #require(stands == mustStand, "\(trace.suffix(20))")
      counts["\(action) \(expected.prefix(12))", default: 0] += 1
      if action == 6, !notices.isEmpty { counts["stands in a turn", default: 0] += 1 }
    }
    for wanted in [
      "6 true", "6 false", "stands in a turn", "12 true", "12 false", "8 nil", "9 Optional(922",
    ] {
      #expect(counts[wanted, default: 0] > 50, "\(wanted): chance has not tried it: \(counts)")
    }
  }

  // MARK: A day at a lock

  /// One that writes now and then. It looks at its request only when it has been told to.
  private struct Writer {
    enum State { case idle, waiting, called, holding }
    var state = State.idle
    /// When it does something next by itself.
    var actsAt: Int64
    var waitsSince: Int64 = 0
    var hasRested = false
  }

  private struct Scene {
    var line = Line<UInt64>()
    var writers: [UInt64: Writer]
    var now: Int64 = 1_000_000_000
    var holder: UInt64?
    let isMirrored: Bool
    var grants: [UInt64: Int] = [:]
    var longestWait: Int64 = 0
    /// When each came that has not had its turn since: one that comes too late for its claim keeps
    /// its place.
    var arrivals: [UInt64: Int] = [:]
    private var arrivalCount = 0

    init(writers: [UInt64: Writer], isMirrored: Bool) {
      self.writers = writers
      self.isMirrored = isMirrored
    }

    /// The one that is to be called next.
    var first: UInt64? {
      writers.filter { $0.value.state == .waiting }.keys.min { arrivals[$0]! < arrivals[$1]! }
    }

    mutating func deliver() {
      var told: [(UInt64, Int64)] = []
      line.takeNotices { told.append(($0, $1)) }
      for (writer, lookAt) in told where writers[writer]!.state == .waiting {
        writers[writer]!.actsAt = min(writers[writer]!.actsAt, lookAt)
      }
    }

    mutating func take(_ writer: UInt64, for nanoseconds: Int64) -> Bool {
      guard holder == nil, line.isIdle || line.mayTake(writer, now: now) else { return false }
      holder = writer
      if !line.isIdle { line.taken(by: writer, now: now) }
      writers[writer]!.state = .holding
      writers[writer]!.actsAt = now + nanoseconds
      grants[writer, default: 0] += 1
      arrivals[writer] = nil
      deliver()
      return true
    }

    mutating func giveBack(_ writer: UInt64, rests nanoseconds: Int64) {
      holder = nil
      if !line.isIdle { line.released(by: writer, isMirrored: isMirrored, now: now) }
      writers[writer]!.state = .idle
      writers[writer]!.actsAt = now + nanoseconds
      deliver()
    }

    mutating func standInLine(_ writer: UInt64) {
      line.enter(writer, .reserved, writer, isReader: false, now: now)
      writers[writer]!.state = .waiting
      writers[writer]!.waitsSince = now
      writers[writer]!.hasRested = false
      arrivalCount += 1
      if arrivals[writer] == nil { arrivals[writer] = arrivalCount }
      _ = look(writer, comesAfter: 0)
    }

    /// Whether it was called.
    mutating func look(_ writer: UInt64, comesAfter nanoseconds: Int64) -> Bool {
      defer {
        line.notifyFirst(isTaken: holder != nil, now: now)
        deliver()
      }
      if let wait = line.wait(of: writer, isTaken: holder != nil, now: now) {
        writers[writer]!.actsAt = wait
        writers[writer]!.hasRested = true
        return false
      }
      line.call(writer, hasWaited: writers[writer]!.hasRested, now: now)
      writers[writer]!.state = .called
      writers[writer]!.actsAt = now + nanoseconds
      longestWait = max(longestWait, now - writers[writer]!.waitsSince)
      return true
    }
  }

  @Test(arguments: [false, true])
  func everyWriterHasItsTurnAndNobodySleepsForEver(isMirrored: Bool) throws {
    var random = SeededRandom(
      for: "LineModelTests.everyWriterHasItsTurnAndNobodySleepsForEver(\(isMirrored))")
    let numbers = UInt64(1)...8
    var scene = Scene(
      writers: Dictionary(
        uniqueKeysWithValues: numbers.map {
          ($0, Writer(actsAt: 1_000_000_000 + Int64.random(in: 0...500_000, using: &random)))
        }), isMirrored: isMirrored)
    for _ in 0..<60_000 {
      let next = scene.writers.min { ($0.value.actsAt, $0.key) < ($1.value.actsAt, $1.key) }!
      let writer = next.key
      try #require(next.value.actsAt < .max, "all sleep, and nobody will be told")
      scene.now = max(scene.now, next.value.actsAt)
      let duration = Int64.random(in: 5_000...400_000, using: &random)
      switch next.value.state {
      case .holding: scene.giveBack(writer, rests: duration / 4)
      case .idle:
        if !scene.take(writer, for: duration) { scene.standInLine(writer) }
      case .waiting:
        // One in twenty comes too late, as one that has died or changed its mind.
        let isLate = Int.random(in: 0..<20, using: &random) == 0
        let first = scene.first
        if scene.look(writer, comesAfter: isLate ? 8_000_000 : duration / 8) {
          try #require(first == writer, "in the order of arrival")
        }
      case .called:
        if !scene.take(writer, for: duration) { scene.standInLine(writer) }
      }
      // While the lock is free the next one looks no later than it can be called.
      if scene.holder == nil, let first = scene.first {
        var copy = scene.line
        let due = copy.wait(of: first, isTaken: false, now: scene.now) ?? scene.now
        try #require(scene.writers[first]!.actsAt <= due, "\(first) sleeps too long")
      }
    }
    #expect(numbers.allSatisfy { scene.grants[$0, default: 0] > 500 }, "\(scene.grants)")
    #expect(scene.longestWait < 200_000_000, "in the test's own time: \(scene.longestWait)")
  }
}
