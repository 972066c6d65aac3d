// When the syncs of a WAL are promised at all.

import SluiceSystem
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
}
