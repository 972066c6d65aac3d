// The word in which locks stand, with both sides at it.

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
    #expect(!locks.take(.file))
    #expect(!locks.giveBack(.file))
    locks.grant(.file, isUsed: true)
    #expect(!locks.take(.file), "it is in use")
    #expect(!locks.take(read), "another one")
    #expect(locks.giveBack(.file))
    #expect(!locks.giveBack(.file), "it is not in use")
    #expect(locks.take(.file))
    #expect(locks.takeBack(.file) == [])
    #expect(!locks.giveBack(.file), "somebody waits for it")
    locks.forget(.file)
    locks.grant(.file, isUsed: false)
    locks.grant(read, isUsed: true)
    #expect(locks.takeBack([.file, read]) == .file)
    #expect(!locks.take(.file))
    #expect(!locks.giveBack(read))
    withExtendedLifetime(word) {}
  }

  /// The client changes a number while it uses the lock, the proxy while it has taken it back: were
  /// both at it at once, counts would be lost.
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
        guard locks.take(.file) else { continue }
        shared.number += 1
        shared.number -= 1
        // Wanted: the proxy looks for the used bit to go.
        if !locks.giveBack(.file) { locks.forget(.file) }
      }
    }
    var takenCount = 0
    for _ in 0..<rounds {
      locks.grant(.file, isUsed: false)
      for _ in 0..<Int.random(in: 0..<50) { spinHint() }
      // In use: it is forgotten by the client, as a request would have it.
      if locks.takeBack(.file) == .file {
        shared.number += 1
        takenCount += 1
      } else {
        while locks.takeBack(.file) != .file { spinHint() }
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
