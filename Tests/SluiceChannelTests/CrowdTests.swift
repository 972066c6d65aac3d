// When a thread that waits no longer spins.

import Testing

@testable import SluiceChannel

struct CrowdTests {
  private let millisecond: Int64 = 1_000_000

  private func yielded(_ crowd: inout Crowd, from before: Int64, to now: Int64) -> Bool {
    crowd.yielded(from: before, to: now)
  }

  private func isThere(_ crowd: inout Crowd, at now: Int64) -> Bool { crowd.isThere(at: now) }

  @Test func aShortYieldMeetsNobody() {
    var crowd = Crowd()
    #expect(yielded(&crowd, from: 0, to: millisecond / 2))
    #expect(!isThere(&crowd, at: millisecond))
  }

  @Test func theLastYieldTellsWhetherAnotherTakesTurns() {
    var crowd = Crowd()
    #expect(!crowd.takesTurns)
    #expect(yielded(&crowd, from: 0, to: 3000))
    #expect(crowd.takesTurns)
    #expect(yielded(&crowd, from: 3000, to: 3400))
    #expect(!crowd.takesTurns)
  }

  @Test func aLongYieldIsRememberedForAWhile() {
    var crowd = Crowd()
    #expect(!yielded(&crowd, from: 0, to: 3 * millisecond))
    #expect(isThere(&crowd, at: 22 * millisecond))
    #expect(!isThere(&crowd, at: 24 * millisecond))
  }

  /// It is looked for less and less often while it is there.
  @Test func whoIsThereAgainIsRememberedLonger() {
    var crowd = Crowd()
    var now: Int64 = 1000 * millisecond
    var last: Int64 = 0
    for round in 0..<8 {
      let began = now
      #expect(!yielded(&crowd, from: now, to: now + 4 * millisecond))
      while crowd.isThere(at: now) { now += millisecond }
      let memory = now - began
      #expect(memory >= last)
      if round == 7 { #expect((320...330).contains(memory / millisecond), "\(memory)") }
      last = memory
    }
    now += 1000 * millisecond
    #expect(!yielded(&crowd, from: now, to: now + 4 * millisecond))
    #expect(!isThere(&crowd, at: now + 30 * millisecond), "it was gone in between")
  }
}
