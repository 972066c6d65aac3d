// The rules of records that are values: when erasure runs, and who gets the lock of reconciliation.

import SluiceWire
import Testing

@testable import SluiceEngine

struct ErasureScheduleTests {
  @Test func nothingRunsBeforeItIsEnabled() {
    var schedule = ErasureSchedule()
    schedule.mark(now: 5)
    #expect(schedule.dueAt == nil)
  }

  @Test func theFirstRunComesASecondAfter() {
    var schedule = ErasureSchedule()
    schedule.enable(now: 10)
    schedule.enable(now: 500)
    schedule.mark(now: 600)
    #expect(schedule.dueAt == 1010)
    #expect(!schedule.isDue(now: 1009))
    #expect(schedule.isDue(now: 1010))
  }

  @Test func manyMarksMakeOneRunAMinuteAfterTheFirst() {
    var schedule = ErasureSchedule()
    schedule.enable(now: 0)
    schedule.runEnded(remaining: false, now: 1000)
    #expect(schedule.dueAt == nil)
    schedule.mark(now: 2000)
    schedule.mark(now: 50_000)
    #expect(schedule.dueAt == 62_000)
  }

  @Test func whatRemainsIsFollowedUp() {
    var schedule = ErasureSchedule()
    schedule.enable(now: 0)
    schedule.runEnded(remaining: true, now: 1000)
    #expect(schedule.dueAt == 2000)
  }
}

struct ReconciliationLockTests {
  private let day: Int64 = 24 * 3_600_000
  private let (ann, bob) = (Array("ann".utf8), Array("bob".utf8))

  private func lock(
    _ holder: [UInt8], at time: Int64, released: Int64? = nil, offset: UInt64 = 0
  ) -> ReconciliationLock {
    ReconciliationLock(holder: holder, acquiredAt: time, releasedAt: released, offset: offset)
  }

  @Test func theFirstGetsIt() {
    let (reply, taken) = ReconciliationLock.acquire(nil, ann, now: 7)
    #expect(reply == RecordsLockReply(outcome: .done, offset: 0))
    #expect(taken == lock(ann, at: 7))
  }

  @Test func anotherWaitsADay() {
    let held = lock(ann, at: 0, offset: 40)
    #expect(ReconciliationLock.acquire(held, bob, now: day).0.outcome == .held)
    let (reply, taken) = ReconciliationLock.acquire(held, bob, now: day + 1)
    #expect(reply == RecordsLockReply(outcome: .done, offset: 40))
    #expect(taken == lock(bob, at: day + 1, offset: 40))
  }

  @Test func itsHolderGoesOnWhereItWas() {
    let (reply, _) = ReconciliationLock.acquire(lock(ann, at: 0, offset: 40), ann, now: 5)
    #expect(reply == RecordsLockReply(outcome: .done, offset: 40))
  }

  @Test func nobodyGetsItForThirtyDaysAfterItsRelease() {
    let free = lock(ann, at: 0, released: 10, offset: 0)
    #expect(ReconciliationLock.acquire(free, ann, now: 10 + 30 * day - 1).0.outcome == .notDue)
    #expect(ReconciliationLock.acquire(free, bob, now: 10 + 30 * day).0.outcome == .done)
  }

  @Test func onlyTheHolderRenewsAndReleases() {
    let held = lock(ann, at: 3, offset: 1)
    #expect(held.renewed(by: bob, offset: 9) == nil)
    #expect(held.released(by: bob, now: 9) == nil)
    #expect(held.renewed(by: ann, offset: 9) == lock(ann, at: 3, offset: 9))
    #expect(held.released(by: ann, now: 9) == lock(ann, at: 3, released: 9))
    #expect(held.released(by: ann, now: 9)?.renewed(by: ann, offset: 2) == nil)
  }

  @Test func bytesBringItBack() throws {
    for value in [
      lock(ann, at: 3, offset: 9), lock(bob, at: 1, released: 4), lock(ann, at: 0, released: 0),
    ] {
      #expect(try ReconciliationLock(value.bytes) == value)
    }
  }
}
