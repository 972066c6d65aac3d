// The rule by which a sidecar ends, without a sidecar.

import Testing

@testable import SluiceServer

struct EndingTests {
  private let second: Int64 = 1_000_000_000

  @Test func daemonEndsByTheFirstSignal() {
    var ending = Ending(.bySignal)
    ending.sessionBegan()
    #expect(ending.remainingNanoseconds(now: 0) == nil)
    ending.signalled(now: 0)
    #expect(ending.remainingNanoseconds(now: 0) == 0)
  }

  @Test func daemonDoesNotMindItsSessionsEnds() {
    var ending = Ending(.bySignal)
    ending.sessionBegan()
    ending.sessionEnded(now: 1)
    ending.clientWasTurnedAway()
    #expect(ending.remainingNanoseconds(now: 100 * second) == nil)
  }

  @Test func privateOneEndsWithItsClientOrByTwoSignalsInARow() {
    var ending = Ending(.withClient)
    ending.sessionBegan()
    ending.signalled(now: 0)
    #expect(ending.remainingNanoseconds(now: 4 * second) == nil)
    // Too late to belong to the first.
    ending.signalled(now: 6 * second)
    #expect(ending.remainingNanoseconds(now: 6 * second) == nil)
    var other = ending
    ending.signalled(now: 7 * second)
    #expect(ending.remainingNanoseconds(now: 7 * second) == 0)
    other.sessionEnded(now: 8 * second)
    #expect(other.remainingNanoseconds(now: 8 * second) == 0)
  }

  @Test func privateOneEndsWhenItsClientGetsNoSession() {
    var ending = Ending(.withClient)
    ending.clientWasTurnedAway()
    #expect(ending.remainingNanoseconds(now: 0) == 0)
  }

  @Test func commandsOneLingersAfterTheCommandAndTheLastSession() {
    var ending = Ending(.withLifeline(lingerNanoseconds: 10 * second))
    #expect(ending.remainingNanoseconds(now: 50 * second) == nil)
    ending.sessionBegan()
    ending.lifelineWasCut(now: 100 * second)
    #expect(ending.remainingNanoseconds(now: 500 * second) == nil)
    ending.sessionEnded(now: 500 * second)
    #expect(ending.remainingNanoseconds(now: 503 * second) == 7 * second)
    ending.sessionBegan()
    #expect(ending.remainingNanoseconds(now: 520 * second) == nil)
    ending.sessionEnded(now: 521 * second)
    #expect(ending.remainingNanoseconds(now: 531 * second) == 0)
  }

  @Test func commandsOneDoesNotLingerOnceItWasTold() {
    var ending = Ending(.withLifeline(lingerNanoseconds: 10 * second))
    ending.sessionBegan()
    ending.signalled(now: 0)
    ending.sessionEnded(now: second)
    // The command may open another database yet.
    #expect(ending.remainingNanoseconds(now: 2 * second) == nil)
    ending.lifelineWasCut(now: 3 * second)
    #expect(ending.remainingNanoseconds(now: 3 * second) == 0)
  }

  @Test func lifelineWithoutLingeringEndsItAtOnce() {
    var ending = Ending(.withLifeline(lingerNanoseconds: 0))
    ending.sessionBegan()
    ending.lifelineWasCut(now: 0)
    #expect(ending.remainingNanoseconds(now: 0) == 0)
  }
}
