// Following changes gives what an evaluation from nothing gives, and what the plain model says.

import TestSupport
import Testing

@testable import SluiceEngine

@Suite struct QueryChangeTests {
  @Test func followingEqualsEvaluatingFromNothing() throws {
    var random = SeededRandom(for: "followingEqualsEvaluatingFromNothing")
    var verdictChangeCount = 0
    var truncatedCount = 0
    for _ in 0..<600 {
      var scenario = RandomScenario(SeededRandom(seed: random.next()))
      let schema = scenario.schema()
      let (document, path) = (RandomScenario.names[0], scenario.path())
      let query = DocumentQuery(
        document: document, path: path, schema: try Schema(json: schema.json))
      var limits = DocumentQuery.Limits()
      if scenario.chance(1, of: 5) { limits.visitCountMax = Int(random.next() % 6) }
      if scenario.chance(1, of: 10) { limits.stepCountMax = Int(random.next() % 2000) }
      let isLimited = limits.visitCountMax < 6 || limits.stepCountMax <= 2000
      var followed = QueryEvaluation(
        query, in: TestDocuments(roots: scenario.roots), limits: limits)
      for _ in 0..<8 {
        let (oldVerdict, oldTouches) = (followed.verdict, Set(followed.touches))
        let deltas = scenario.commit()
        let documents = TestDocuments(roots: scenario.roots)
        let change = followed.update(deltas, in: documents)
        let fresh = QueryEvaluation(query, in: documents, limits: limits)
        try #require(
          Answer(followed) == Answer(fresh),
          "\(limits) \(query.path) \(schema) \(scenario.roots) \(deltas)")
        let touches = Set(followed.touches)
        if let change {
          #expect(change.oldVerdict == oldVerdict && change.newVerdict == followed.verdict)
          #expect(Set(change.touchAdded) == touches.subtracting(oldTouches))
          #expect(Set(change.touchRemoved) == oldTouches.subtracting(touches))
          #expect(change.touchAdded.count == Set(change.touchAdded).count)
        } else {
          #expect(touches == oldTouches && followed.verdict == oldVerdict)
        }
        verdictChangeCount += followed.verdict == oldVerdict ? 0 : 1
        truncatedCount += followed.verdict == .maybeExceededDepth ? 1 : 0
        if isLimited { continue }
        let model = QueryModel(scenario.roots, document, path, schema)
        try #require(
          (followed.verdict == .yes) == model.verdict && touches == model.touches
            && followed.links == model.links, "\(query.path) \(schema) \(scenario.roots)")
      }
    }
    print("verdict changes \(verdictChangeCount), truncated \(truncatedCount)")
    // Otherwise the scenarios try nothing.
    #expect(verdictChangeCount > 200 && truncatedCount > 40)
  }

  /// Whatever an evaluation says, and what it cost.
  private struct Answer: Equatable {
    var verdict: QueryVerdict
    var touches: Set<QueryPlace>
    var links: Set<QueryLinkEdge>
    var counts: [Int]

    init(_ evaluation: QueryEvaluation) {
      verdict = evaluation.verdict
      touches = Set(evaluation.touches)
      links = evaluation.links
      let (evaluations, edges) = evaluation.dependencyCounts
      let table = evaluation.table
      counts = [evaluations, edges, table.stepCount, table.visitCount, table.truncatedCount]
    }
  }
}
