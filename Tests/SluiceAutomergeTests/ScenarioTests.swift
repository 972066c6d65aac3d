// Random concurrent histories: the order of application changes nothing, all that is written can be
// read again, and a wrong tie break is found. `automerge-bench scenarios` runs many more of them.

import AutomergeScenarios
import Testing

struct ScenarioTests {
  @Test func replicasThatHoldTheSameChangesShowTheSame() throws {
    let check = ScenarioCheck()
    for seed in UInt64(1)...30 { try check.run(seed: seed) }
  }

  @Test func aWrongTieBreakIsFound() {
    var check = ScenarioCheck()
    check.breaksTiesWrong = true
    check.checksPast = false
    var found = 0
    for seed in UInt64(1)...20 where (try? check.run(seed: seed)) == nil { found += 1 }
    #expect(found > 10)
  }
}
