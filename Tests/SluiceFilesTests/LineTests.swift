// The line by itself, with a clock of the test's own: which handle is called when, and for how long
// the lock is kept for a handle.

import SluiceChannel
import SluiceWire
import Testing

@testable import SluiceFiles
@testable import SluiceServer

struct LineTests {
  private typealias Patience = LinePatience

  /// A line at one lock, and the holder of that.
  private final class Scene {
    var line = Line<Waiter>()
    var now: Int64 = 1_000_000_000
    var holder: UInt64?
    var waiters: [UInt64: Waiter] = [:]
    let alarm = Alarm(wake: WakeWord())
    var isMirrored = false

    func standInLine(_ holder: UInt64, _ lock: AwaitedLock = .reserved) {
      let waiter = Waiter(deadline: .max, alarm: alarm)
      waiters[holder] = waiter
      line.enter(holder, lock, waiter, isReader: false, now: now)
      look()
    }

    /// What the reactors do when the time has come: calls the one that can be called.
    @discardableResult
    func look() -> UInt64? {
      for seeker in waiters.keys.sorted() {
        if let wait = line.wait(of: seeker, isTaken: holder != nil, now: now) {
          waiters[seeker]?.rest(until: wait)
        } else {
          line.call(seeker, hasWaited: waiters[seeker]?.hasRested ?? false, now: now)
          waiters[seeker] = nil
          line.notifyFirst(isTaken: holder != nil, now: now)
          tell()
          return seeker
        }
      }
      return nil
    }

    func take(_ seeker: UInt64) -> Bool {
      guard holder == nil, line.isIdle || line.mayTake(seeker, now: now) else {
        line.enter(seeker, .reserved, nil, isReader: false, now: now)
        return false
      }
      holder = seeker
      if !line.isIdle { line.taken(by: seeker, now: now) }
      tell()
      return true
    }

    func giveBack() {
      let was = holder!
      holder = nil
      if !line.isIdle { line.released(by: was, isMirrored: isMirrored, now: now) }
      tell()
    }

    func leave(_ seeker: UInt64) {
      line.leave(seeker, now: now)
      tell()
    }

    func tell() { line.takeNotices { waiter, lookAt in waiter.tell(lookAt) } }
  }

  @Test func waitersAreCalledInTheOrderOfArrival() {
    let scene = Scene()
    #expect(scene.take(1))
    for seeker in [5, 3, 4, 2] as [UInt64] {
      #expect(!scene.take(seeker))
      scene.standInLine(seeker)
    }
    scene.giveBack()
    for seeker in [5, 3, 4, 2] as [UInt64] {
      #expect(scene.look() == nil, "it is kept for its last holder")
      scene.now += Patience.comebackNanoseconds
      #expect(scene.look() == seeker)
      #expect(!scene.take(1), "it is claimed")
      #expect(scene.take(seeker))
      scene.giveBack()
    }
  }

  /// It waits for the disk with others (group commit).
  @Test func holderThatWillSleepHandsOverAtOnce() {
    let scene = Scene()
    #expect(scene.take(1))
    scene.standInLine(2)
    scene.standInLine(3)
    scene.line.leaves(1)
    scene.giveBack()
    #expect(scene.look() == 2)
    #expect(scene.take(2))
    scene.giveBack()
    #expect(scene.look() == nil, "2 did not say so")
  }

  @Test func turnEndsAfterItsTimeAndItsTransactions() {
    let scene = Scene()
    #expect(scene.take(1))
    scene.standInLine(2)
    scene.giveBack()
    var count = 1
    while scene.take(1) {
      count += 1
      scene.now += 350_000
      scene.giveBack()
      #expect(scene.look() == nil)
    }
    #expect(count == Patience.grantsMinimum)
    scene.now += Patience.lingerNanoseconds - 1
    #expect(scene.look() == nil)
    scene.now += 1
    #expect(scene.waiters[2]!.lookAt <= scene.now, "it was told when to look")
    #expect(scene.look() == 2)
    #expect(!scene.take(1))
    #expect(scene.take(2))
  }

  @Test func turnOfShortTransactionsLastsItsTime() {
    let scene = Scene()
    #expect(scene.take(1))
    scene.standInLine(2)
    let began = scene.now
    scene.giveBack()
    while scene.take(1), scene.now < began + 10 * Patience.turnNanoseconds {
      scene.now += 10_000
      scene.giveBack()
    }
    #expect(scene.now - began == Patience.turnNanoseconds)
    // As soon as it stands in line, the next is called.
    scene.standInLine(1)
    #expect(scene.waiters[2] == nil && scene.waiters[1] != nil)
    #expect(scene.take(2))
  }

  @Test func turnOfLongTransactionsEndsBeforeItsCount() {
    let scene = Scene()
    #expect(scene.take(1))
    scene.standInLine(2)
    scene.giveBack()
    #expect(scene.take(1))
    scene.now += Patience.turnNanosecondsMaximum
    scene.giveBack()
    #expect(!scene.take(1))
    scene.now += Patience.lingerNanoseconds
    #expect(scene.look() == 2)
  }

  @Test func holderThatStaysAwayLosesTheRestOfItsTurn() {
    let scene = Scene()
    #expect(scene.take(1))
    scene.standInLine(2)
    scene.giveBack()
    scene.now += Patience.comebackNanoseconds - 1
    #expect(scene.look() == nil)
    #expect(!scene.take(3))
    scene.now += 1
    #expect(scene.waiters[2]!.lookAt <= scene.now, "it was told when to look")
    #expect(scene.look() == 2)
    #expect(!scene.take(1))
  }

  @Test func claimThatIsNotTakenUpGoesToTheNext() {
    let scene = Scene()
    #expect(scene.take(1))
    scene.standInLine(2)
    scene.standInLine(3)
    scene.giveBack()
    scene.now += Patience.comebackNanoseconds
    #expect(scene.look() == 2)
    scene.now += Patience.graceNanoseconds - 1
    #expect(scene.look() == nil)
    scene.now += 1
    #expect(scene.waiters[3]!.lookAt <= scene.now, "it was told when to look")
    #expect(scene.look() == 3)
    // A handle that was called and came too late has its old place.
    scene.standInLine(4)
    scene.standInLine(2)
    scene.now += Patience.graceNanoseconds
    #expect(scene.look() == 2)
    #expect(!scene.take(3) && scene.take(2))
  }

  /// It was called, and one that came before it took the lock. With the claim of one that stands in line,
  /// nobody was called until its grace was over.
  @Test func whoStandsInLineAgainHasNoClaim() {
    let scene = Scene()
    #expect(scene.take(1))
    #expect(!scene.take(7) && !scene.take(8))
    scene.standInLine(2)
    scene.giveBack()
    scene.now += Patience.comebackNanoseconds
    #expect(scene.look() == 2)
    #expect(scene.take(8))
    #expect(!scene.take(2))
    scene.standInLine(2)
    scene.standInLine(7)
    scene.giveBack()
    scene.now += Patience.comebackNanoseconds
    #expect(scene.look() == 7)
    #expect(scene.take(7))
  }

  @Test func leavingFreesThePlaceAndTheClaim() {
    let scene = Scene()
    #expect(scene.take(1))
    for seeker in [2, 3, 4] as [UInt64] { scene.standInLine(seeker) }
    scene.leave(2)
    scene.waiters[2] = nil
    scene.giveBack()
    scene.now += Patience.comebackNanoseconds
    #expect(scene.look() == 3)
    #expect(!scene.take(4))
    scene.leave(3)
    #expect(scene.look() == 4)
    scene.leave(4)
    #expect(scene.line.isIdle)
    #expect(scene.take(9))
  }

  @Test func handleThatOnlyAsksMayTakeAFreeLockIfItCameBefore() {
    let scene = Scene()
    #expect(scene.take(1))
    #expect(!scene.take(8))
    scene.standInLine(2)
    #expect(!scene.take(9))
    scene.giveBack()
    #expect(!scene.take(9), "2 came before it")
    #expect(scene.take(8))
    scene.giveBack()
    scene.now += Patience.comebackNanoseconds
    #expect(scene.look() == 2)
    #expect(!scene.take(9))
    #expect(scene.take(2))
  }

  @Test func placeOfAHandleThatNeverComesAgainIsForgotten() {
    let scene = Scene()
    #expect(scene.take(1))
    #expect(!scene.take(2))
    scene.giveBack()
    #expect(!scene.line.isIdle)
    scene.now += Patience.placeNanoseconds
    #expect(scene.take(1))
    scene.giveBack()
    #expect(scene.line.isIdle)
  }

  @Test func nobodyIsCalledDuringACheckpointForAWhile() {
    let scene = Scene()
    #expect(scene.take(1))
    scene.standInLine(2)
    #expect(!scene.take(3))
    scene.giveBack()
    scene.line.pause(until: scene.now + Patience.pauseNanoseconds)
    scene.now += Patience.comebackNanoseconds
    #expect(scene.look() == nil)
    #expect(!scene.take(3), "it has a place, and so it waits")
    scene.line.endPause()
    scene.line.notifyFirst(isTaken: false, now: scene.now)
    scene.tell()
    #expect(scene.waiters[2]!.lookAt <= scene.now, "it was told that the checkpoint has ended")
    #expect(scene.look() == 2)
    // A checkpoint that began behind the call is in nobody's way.
    scene.line.pause(until: scene.now + Patience.pauseNanoseconds)
    #expect(scene.take(2))
    scene.giveBack()
    scene.standInLine(3)
    // What is said again of the same checkpoint makes no pause longer.
    scene.now += Patience.pauseNanoseconds - 1
    scene.line.pause(until: scene.now + Patience.pauseNanoseconds)
    #expect(scene.look() == nil)
    scene.now += 1
    #expect(scene.look() == 3)
  }

  @Test func aCheckpointThatStandsInLineItselfEndsThePause() {
    let scene = Scene()
    #expect(scene.take(1))
    scene.standInLine(2)
    scene.giveBack()
    scene.line.pause(until: scene.now + Patience.pauseNanoseconds)
    scene.now += Patience.comebackNanoseconds
    #expect(scene.look() == nil)
    scene.line.cutPause()
    scene.line.pause(until: scene.now + Patience.pauseNanoseconds)
    #expect(scene.look() == 2)
  }

  @Test func whoDoesNotStandInLineTakesAFreeLockDuringACheckpoint() {
    let scene = Scene()
    scene.line.enter(2, .file(.shared), nil, isReader: false, now: scene.now)
    scene.line.pause(until: scene.now + Patience.pauseNanoseconds)
    #expect(scene.take(1), "without a busy handler it would be refused for good")
  }

  @Test func outsidersFindTheLockFreeNowAndThen() {
    let scene = Scene()
    scene.isMirrored = true
    var (seeker, other) = (UInt64(1), UInt64(2))
    #expect(scene.take(seeker))
    var gapCount = 0
    for _ in 0..<100 {
      scene.standInLine(other)
      scene.giveBack()
      while scene.take(seeker) {
        scene.now += 200_000
        scene.giveBack()
      }
      scene.now += Patience.lingerNanoseconds
      if scene.look() == nil {
        gapCount += 1
        scene.now += Patience.gapNanoseconds - Patience.lingerNanoseconds - 1
        #expect(scene.look() == nil)
        #expect(!scene.take(seeker) && !scene.take(other))
        scene.now += 1
        #expect(scene.waiters[other]!.lookAt <= scene.now, "it was told when to look")
        #expect(scene.look() == other)
      }
      #expect(scene.take(other))
      swap(&seeker, &other)
    }
    #expect(gapCount >= 2 && gapCount < 20, "\(gapCount)")
  }

  @Test func waiterForAnythingElseIsToldOfEveryRelease() {
    let scene = Scene()
    #expect(scene.take(1))
    let waiter = Waiter(deadline: .max, alarm: scene.alarm)
    scene.line.enter(2, .file(.shared), waiter, isReader: false, now: scene.now)
    #expect(waiter.lookAt == .max)
    scene.line.notifyOthers(now: scene.now)
    scene.tell()
    #expect(waiter.lookAt == scene.now)
    #expect(scene.alarm.time == scene.now)
  }
}
