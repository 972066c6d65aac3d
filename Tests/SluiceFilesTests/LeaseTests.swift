// When a lease is tried, and that it is granted to the only one that has the file open.

import Foundation
import Glibc
import SluiceSystem
import Testing

@testable import SluiceFiles

struct LeaseTests {
  @Test func leaseThatProvesNothingIsNeverTried() {
    let lease = Lease(isPossible: false)
    #expect(!lease.isHeld && !lease.isToBeTried(now: .max))
  }

  @Test func leaseIsTriedLessAndLessOftenUntilItIsGranted() throws {
    let path = FileManager.default.temporaryDirectory
      .appending(path: "sluice-lease-\(UUID().uuidString)").path
    let file = FileDescriptor(owning: unsafe open(path, O_RDWR | O_CREAT, 0o600))
    let other = unsafe open(path, O_RDWR)
    #expect(unsafe unlink(path) == 0)
    var lease = Lease(isPossible: true)
    var now: Int64 = 1_000_000_000
    var rest: Int64 = 1_000_000
    for _ in 0..<14 {
      #expect(lease.isToBeTried(now: now))
      let isGranted = lease.take(on: file, now: now)
      #expect(!isGranted && !lease.isHeld, "another has it open")
      #expect(!lease.isToBeTried(now: now + rest - 1))
      now += rest
      rest = min(rest * 2, 1_000_000_000)
    }
    #expect(rest == 1_000_000_000)
    close(other)
    let isGranted = lease.take(on: file, now: now)
    let isBroken = lease.isBroken(on: file)
    #expect(isGranted && lease.isHeld && !isBroken && !lease.isToBeTried(now: .max))
    // An outsider came: it has the file for a tenth of a second at least.
    lease.end(now: now)
    try lease.giveBack(on: file)
    #expect(!lease.isHeld && !lease.isToBeTried(now: now + 99_999_999))
    #expect(lease.isToBeTried(now: now + 100_000_000))
    let isGrantedAgain = lease.take(on: file, now: now)
    #expect(isGrantedAgain)
    lease.endForGood()
    try lease.giveBack(on: file)
    #expect(!lease.isHeld && !lease.isToBeTried(now: .max))
  }

  @Test func leaseCountsForAWhileAfterALook() {
    let trust = LeaseTrust()
    func isOver(_ now: Int64) -> Bool { trust.isOver(now: now) }
    #expect(isOver(10_000_000_000), "nobody has looked yet")
    trust.begin(now: 10_000_000_000)
    #expect(!isOver(15_000_000_000) && isOver(15_000_000_001))
  }
}
