// The word of the standing locks, while both sides change it.

import SluiceSystem
import Synchronization
import Testing

@testable import SluiceChannel

struct StandingLockWordTests {
  /// A channel's regions, and its word.
  private final class Word: Sendable {
    let regions: ChannelRegions
    init() throws { regions = try ChannelRegions.create(.standard) { _, _ in } }
    var locks: StandingLocks { regions.standingLocks }
  }

  @Test func theStatesAreThoseOfTheTable() throws {
    let word = try Word()
    let locks = word.locks
    let read = LockSet.walIndex(8)
    #expect(!locks.take(.file, alone: false))
    #expect(!locks.giveBack(.file))
    locks.grant(.file, alone: [], .shared)
    #expect(!locks.take(.file, alone: false), "it is in use")
    #expect(!locks.take(read, alone: false), "another one")
    #expect(locks.giveBack(.file))
    #expect(!locks.giveBack(.file), "it is not in use")
    #expect(!locks.take(.file, alone: true), "others have it too")
    #expect(locks.take(.file, alone: false))
    #expect(locks.takeBack(.file, toShare: true) == ([], .file))
    #expect(locks.giveBack(.file), "it may be shared")
    #expect(locks.take(.file, alone: false))
    #expect(locks.takeBack(.file, toShare: false) == ([], .file))
    #expect(!locks.giveBack(.file), "another client waits for it")
    locks.forget(.file)
    locks.grant(.file, alone: [], .none)
    locks.grant(read, alone: [], .shared)
    #expect(locks.takeBack([.file, read], toShare: false) == (.file, read))
    #expect(!locks.take(.file, alone: false))
    #expect(!locks.giveBack(read))
    withExtendedLifetime(word) {}
  }

  @Test func whatIsHadAloneServesEitherUseUntilOthersShareIt() throws {
    let word = try Word()
    let locks = word.locks
    let (read, both) = (LockSet.walIndex(8), LockSet.walIndex(24))
    locks.grant(both, alone: both, .alone)
    #expect(locks.giveBack(both))
    #expect(locks.take(read, alone: false))
    #expect(!locks.take(both, alone: true), "one of them is in use")
    #expect(locks.giveBack(read))
    #expect(locks.take(both, alone: true))
    #expect(locks.takeBack(both, toShare: true) == ([], []), "it is used alone")
    #expect(!locks.giveBack(both))
    locks.grant(both, alone: both, .shared)
    #expect(locks.takeBack(read, toShare: true) == ([], read))
    #expect(locks.giveBack(both))
    #expect(!locks.take(read, alone: true), "others have it too")
    #expect(locks.take(.walIndex(16), alone: true))
    #expect(locks.take(read, alone: false))
    withExtendedLifetime(word) {}
  }

  /// The client changes a number while it uses the lock, the proxy while it has taken the lock
  /// back. If both did so at once, counts would be lost.
  @Test(.timeLimit(.minutes(1)))
  func neverBothHaveIt() throws {
    final class Shared: @unchecked Sendable {
      var number = 0
      let isOver = Atomic<Bool>(false)
    }
    let word = try Word()
    let shared = Shared()
    let locks = word.locks
    let rounds = 20_000
    let client = try SluiceSystem.Thread("client") {
      let locks = word.locks
      while !shared.isOver.load(ordering: .acquiring) {
        guard locks.take(.file, alone: false) else { continue }
        shared.number += 1
        shared.number -= 1
        // Wanted: the proxy waits until the used bit is cleared.
        if !locks.giveBack(.file) { locks.forget(.file) }
      }
    }
    var takenCount = 0
    for _ in 0..<rounds {
      locks.grant(.file, alone: [], .none)
      for _ in 0..<Int.random(in: 0..<50) { spinHint() }
      // In use: the client forgets the lock, as a request would do.
      if locks.takeBack(.file, toShare: false).freed == .file {
        shared.number += 1
        takenCount += 1
      } else {
        while locks.takeBack(.file, toShare: false).freed != .file { spinHint() }
        shared.number += 1
        takenCount += 1
      }
    }
    shared.isOver.store(true, ordering: .releasing)
    client.join()
    #expect(shared.number == takenCount)
    withExtendedLifetime(word) {}
  }
}
