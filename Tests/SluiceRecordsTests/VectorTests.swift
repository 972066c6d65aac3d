// All vectors, through `RecordStorage`, on both kinds of engine.

import EngineTestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct VectorTests {
  @Test func thereAreAllScenarios() {
    #expect(RecordVectors.all.scenarios.count == 112)
    #expect(RecordVectors.all.scenarios.reduce(0) { $0 + $1.steps.count } == 1287)
  }

  @Test(arguments: EnginePlace.allCases, RecordVectors.all.scenarios)
  func aStorageAnswersAsTheOriginal(
    engine: EnginePlace, scenario: RecordVectors.Scenario
  ) async throws {
    let run = try await VectorRun(scenario, on: engine)
    for index in scenario.steps.indices {
      if let difference = try await run.difference(inStep: index) {
        Issue.record("\(scenario.name), step \(index): \(difference)")
      }
    }
  }

  /// The canary: a step whose expectation is changed is seen.
  @Test func aWrongAnswerIsSeen() async throws {
    var seenCount = 0
    for var scenario in RecordVectors.all.scenarios where scenario.name.hasPrefix("basic/") {
      let last = scenario.steps.lastIndex { $0["op"] == "load" }
      let index = try #require(last)
      scenario.steps[index] = [
        "op": "load", "id": "co_zNobody", "expect": ["events": .array([["done": .bool(true)]])],
      ]
      let run = try await VectorRun(scenario, on: .inProcess)
      for earlier in 0..<index { _ = try await run.difference(inStep: earlier) }
      if try await run.difference(inStep: index) != nil { seenCount += 1 }
    }
    #expect(seenCount == 8)
  }
}
