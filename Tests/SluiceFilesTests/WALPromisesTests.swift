// When the syncs of a WAL are promised at all.

import Foundation
import SluiceSystem
import Synchronization
import Testing

@testable import SluiceFiles

struct WALPromisesTests {
  @Test func onlySlowSyncsAreWorthAPromise() throws {
    let promises = WALPromises()
    func doPay() -> Bool { promises.doPay }
    #expect(!doPay(), "nothing is known")
    for _ in 0..<3 { try promises.sync { Clock.sleep(nanoseconds: 3_000_000) } }
    #expect(doPay())
    for _ in 0..<30 { try promises.sync {} }
    #expect(!doPay())
  }

  /// Eight threads ask while the first sync is under way: one more serves them all.
  @Test func oneSyncServesAllThatWaitForTheOneUnderWay() throws {
    let promises = WALPromises()
    let begun = Atomic<Int>(0)
    let asking = Atomic<Int>(0)
    let failed = Atomic<Int>(0)
    promises.wrote(at: 0, byteCount: 100)
    // A thread for each, because all of them wait.
    let group = DispatchGroup()
    @Sendable func run(_ index: Int) {
      defer { group.leave() }
      // The first is under way before the others ask.
      while index > 0, begun.load(ordering: .sequentiallyConsistent) == 0 { usleep(100) }
      if index > 0 {
        promises.wrote(at: Int64(index) * 100, byteCount: 100)
        asking.wrappingAdd(1, ordering: .sequentiallyConsistent)
      }
      do throws(Errno) {
        try promises.sync {
          let number = begun.wrappingAdd(1, ordering: .sequentiallyConsistent).newValue
          while number == 1, asking.load(ordering: .sequentiallyConsistent) < 8 { usleep(100) }
          // The last of them are on their way to the turn.
          usleep(50_000)
        }
      } catch {
        failed.wrappingAdd(1, ordering: .sequentiallyConsistent)
      }
    }
    for index in 0..<9 {
      group.enter()
      Thread { run(index) }.start()
    }
    #expect(group.wait(timeout: .now() + 60) == .success)
    let counts = (begun.load(ordering: .relaxed), failed.load(ordering: .relaxed))
    #expect(counts == (2, 0))
  }
}
