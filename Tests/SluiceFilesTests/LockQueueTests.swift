// The line by itself, with a clock of the test's own: who is called when, and for how long a lock is
// kept for whom.

import SluiceChannel
import SluiceWire
import Testing

@testable import SluiceFiles
@testable import SluiceServer

struct LockQueueTests {
  private typealias Patience = LockQueue.Patience

  /// A line at one lock, and who has it.
  private final class Line {
    var queue = LockQueue()
    var now: Int64 = 1_000_000_000
    var holder: UInt64?
    var waiters: [UInt64: Waiter] = [:]
    let alarm = Alarm(wake: WakeWord())
    var isMirrored = false

    func standInLine(_ holder: UInt64, _ lock: AwaitedLock = .reserved) {
      let waiter = Waiter(deadline: .max, alarm: alarm)
      waiters[holder] = waiter
      queue.enter(holder, lock, waiter, isReader: false, now: now)
      look()
    }

    /// What the reactors do when the time has come: calls whoever can be called.
    @discardableResult
    func look() -> UInt64? {
      for seeker in waiters.keys.sorted() {
        if let wait = queue.wait(of: seeker, isTaken: holder != nil, now: now) {
          waiters[seeker]?.rest(until: wait)
        } else {
          queue.call(seeker, now: now)
          waiters[seeker] = nil
          queue.tellFirst(isTaken: holder != nil, now: now)
          return seeker
        }
      }
      return nil
    }

    func take(_ seeker: UInt64) -> Bool {
      guard holder == nil, queue.isIdle || queue.mayTake(seeker, now: now) else {
        queue.enter(seeker, .reserved, nil, isReader: false, now: now)
        return false
      }
      holder = seeker
      if !queue.isIdle { queue.taken(by: seeker, now: now) }
      return true
    }

    func giveBack() {
      let was = holder!
      holder = nil
      if !queue.isIdle { queue.released(by: was, isMirrored: isMirrored, now: now) }
    }
  }

  @Test func whoeverWaitsIsCalledInTheOrderOfArrival() {
    let line = Line()
    #expect(line.take(1))
    for seeker in [5, 3, 4, 2] as [UInt64] {
      #expect(!line.take(seeker))
      line.standInLine(seeker)
    }
    line.giveBack()
    for seeker in [5, 3, 4, 2] as [UInt64] {
      #expect(line.look() == nil, "it is kept for who had it")
      line.now += Patience.comebackNanoseconds
      #expect(line.look() == seeker)
      #expect(!line.take(1), "it is claimed")
      #expect(line.take(seeker))
      line.giveBack()
    }
  }

  @Test func turnEndsAfterItsTimeAndItsTransactions() {
    let line = Line()
    #expect(line.take(1))
    line.standInLine(2)
    line.giveBack()
    var count = 1
    while line.take(1) {
      count += 1
      line.now += 350_000
      line.giveBack()
      #expect(line.look() == nil)
    }
    #expect(count == Patience.grantsMinimum)
    line.now += Patience.lingerNanoseconds - 1
    #expect(line.look() == nil)
    line.now += 1
    #expect(line.waiters[2]!.lookAt <= line.now, "he was told when to look")
    #expect(line.look() == 2)
    #expect(!line.take(1))
    #expect(line.take(2))
  }

  @Test func turnOfShortTransactionsLastsItsTime() {
    let line = Line()
    #expect(line.take(1))
    line.standInLine(2)
    let began = line.now
    line.giveBack()
    while line.take(1), line.now < began + 10 * Patience.turnNanoseconds {
      line.now += 10_000
      line.giveBack()
    }
    #expect(line.now - began == Patience.turnNanoseconds)
    // As soon as he stands in line, the next is called.
    line.standInLine(1)
    #expect(line.waiters[2] == nil && line.waiters[1] != nil)
    #expect(line.take(2))
  }

  @Test func turnOfLongTransactionsEndsBeforeItsCount() {
    let line = Line()
    #expect(line.take(1))
    line.standInLine(2)
    line.giveBack()
    #expect(line.take(1))
    line.now += Patience.turnNanosecondsMaximum
    line.giveBack()
    #expect(!line.take(1))
    line.now += Patience.lingerNanoseconds
    #expect(line.look() == 2)
  }

  @Test func whoStaysAwayLosesTheRestOfHisTurn() {
    let line = Line()
    #expect(line.take(1))
    line.standInLine(2)
    line.giveBack()
    line.now += Patience.comebackNanoseconds - 1
    #expect(line.look() == nil)
    #expect(!line.take(3))
    line.now += 1
    #expect(line.waiters[2]!.lookAt <= line.now, "he was told when to look")
    #expect(line.look() == 2)
    #expect(!line.take(1))
  }

  @Test func claimThatNobodyTakesUpGoesToTheNext() {
    let line = Line()
    #expect(line.take(1))
    line.standInLine(2)
    line.standInLine(3)
    line.giveBack()
    line.now += Patience.comebackNanoseconds
    #expect(line.look() == 2)
    line.now += Patience.graceNanoseconds - 1
    #expect(line.look() == nil)
    line.now += 1
    #expect(line.waiters[3]!.lookAt <= line.now, "he was told when to look")
    #expect(line.look() == 3)
    // Who was called and came too late has his old place.
    line.standInLine(4)
    line.standInLine(2)
    line.now += Patience.graceNanoseconds
    #expect(line.look() == 2)
    #expect(!line.take(3) && line.take(2))
  }

  @Test func whoLeavesFreesHisPlaceAndHisClaim() {
    let line = Line()
    #expect(line.take(1))
    for seeker in [2, 3, 4] as [UInt64] { line.standInLine(seeker) }
    line.queue.leave(2, now: line.now)
    line.waiters[2] = nil
    line.giveBack()
    line.now += Patience.comebackNanoseconds
    #expect(line.look() == 3)
    #expect(!line.take(4))
    line.queue.leave(3, now: line.now)
    #expect(line.look() == 4)
    line.queue.leave(4, now: line.now)
    #expect(line.queue.isIdle)
    #expect(line.take(9))
  }

  @Test func whoOnlyAsksMayTakeWhatHeFindsFreeIfHeCameBefore() {
    let line = Line()
    #expect(line.take(1))
    #expect(!line.take(8))
    line.standInLine(2)
    #expect(!line.take(9))
    line.giveBack()
    #expect(!line.take(9), "2 came before him")
    #expect(line.take(8))
    line.giveBack()
    line.now += Patience.comebackNanoseconds
    #expect(line.look() == 2)
    #expect(!line.take(9))
    #expect(line.take(2))
  }

  @Test func placeOfWhoNeverComesAgainIsForgotten() {
    let line = Line()
    #expect(line.take(1))
    #expect(!line.take(2))
    line.giveBack()
    #expect(!line.queue.isIdle)
    line.now += Patience.placeNanoseconds
    #expect(line.take(1))
    line.giveBack()
    #expect(line.queue.isIdle)
  }

  @Test func outsidersFindTheLockFreeNowAndThen() {
    let line = Line()
    line.isMirrored = true
    var (seeker, other) = (UInt64(1), UInt64(2))
    #expect(line.take(seeker))
    var gapCount = 0
    for _ in 0..<100 {
      line.standInLine(other)
      line.giveBack()
      while line.take(seeker) {
        line.now += 200_000
        line.giveBack()
      }
      line.now += Patience.lingerNanoseconds
      if line.look() == nil {
        gapCount += 1
        line.now += Patience.gapNanoseconds - Patience.lingerNanoseconds - 1
        #expect(line.look() == nil)
        #expect(!line.take(seeker) && !line.take(other))
        line.now += 1
        #expect(line.waiters[other]!.lookAt <= line.now, "he was told when to look")
        #expect(line.look() == other)
      }
      #expect(line.take(other))
      swap(&seeker, &other)
    }
    #expect(gapCount >= 2 && gapCount < 20, "\(gapCount)")
  }

  @Test func whoeverWaitsForAnythingElseIsToldOfEveryRelease() {
    let line = Line()
    #expect(line.take(1))
    let waiter = Waiter(deadline: .max, alarm: line.alarm)
    line.queue.enter(2, .file(.shared), waiter, isReader: false, now: line.now)
    #expect(waiter.lookAt == .max)
    line.queue.tellOthers(now: line.now)
    #expect(waiter.lookAt == line.now)
    #expect(line.alarm.time == line.now)
  }
}
