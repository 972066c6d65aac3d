// Following changes gives what an evaluation from nothing gives, and what the plain model says.

import TestSupport
import Testing

@testable import SluiceEngine

@Suite struct QueryChangeTests {
  @Test func followingEqualsEvaluatingFromNothing() throws {
    var random = SeededRandom(for: "followingEqualsEvaluatingFromNothing")
    var verdictChangeCount = 0
    var innerChangeCount = 0
    var truncatedCount = 0
    for _ in 0..<250 {
      var scenario = RandomScenario(SeededRandom(seed: random.next()))
      let schema = scenario.schema()
      let (document, path) = (RandomScenario.names[0], scenario.path())
      let query = try DocumentQuery(
        document: document, path: path, schema: Schema(json: schema.json))
      var limits = DocumentQuery.Limits()
      let isLimited = scenario.chance(1, of: 3)
      if isLimited {
        // Near to what it costs, so that they are met at some times and not at others.
        let evaluation = QueryEvaluation(query, in: TestDocuments(roots: scenario.roots))
        let (table, documentCount) = (evaluation.table, evaluation.documents.count)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: limits.visitCountMax = Int.random(in: 0...table.visitCount + 1, using: &random)
        case 1: limits.documentCountMax = Int.random(in: 1...documentCount + 1, using: &random)
        default: limits.stepCountMax = Int.random(in: 0...table.stepCount + 50, using: &random)
        }
      }
      var followed = QueryEvaluation(
        query, in: TestDocuments(roots: scenario.roots), limits: limits)
      for _ in 0..<8 {
        let old = Answer(followed)
        let (oldVerdict, oldTouches) = (old.verdict, old.touches)
        let deltas = scenario.commit()
        let documents = TestDocuments(roots: scenario.roots)
        let change = followed.update(deltas, in: documents)
        let fresh = QueryEvaluation(query, in: documents, limits: limits)
        let answer = Answer(followed)
        try #require(
          answer == Answer(fresh), "\(limits) \(path) \(schema) \(scenario.roots) \(deltas)")
        let touches = Set(followed.touches)
        if let change {
          #expect(change.oldVerdict == oldVerdict && change.newVerdict == followed.verdict)
          #expect(Set(change.touchAdded) == touches.subtracting(oldTouches))
          #expect(Set(change.touchRemoved) == oldTouches.subtracting(touches))
          #expect(change.touchAdded.count == Set(change.touchAdded).count)
        } else {
          #expect(touches == oldTouches && followed.verdict == oldVerdict)
        }
        innerChangeCount += answer.inner.count { key, verdict in
          old.inner[key].map { $0 != verdict } ?? false
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
    // Otherwise the scenarios try nothing.
    let counts = (verdictChangeCount, innerChangeCount, truncatedCount)
    #expect(counts.0 > 5 && counts.1 > 50 && counts.2 > 5, "\(counts)")
  }

  /// Whatever an evaluation says, and what it cost.
  private struct Answer: Equatable {
    var verdict: QueryVerdict
    var touches: Set<QueryPlace>
    var links: Set<QueryLinkEdge>
    /// The verdict of each pair of schema and place.
    var inner: [String: QueryVerdict] = [:]
    var counts: [Int]

    init(_ evaluation: QueryEvaluation) {
      verdict = evaluation.verdict
      touches = Set(evaluation.touches)
      links = evaluation.links
      let (evaluations, edges) = evaluation.dependencyCounts
      let table = evaluation.table
      for id in table.allIDs {
        let place = table[id].place
        let name = place < 0 ? "" : "\(evaluation.places.publicPlace(place))"
        inner["\(table[id].node) \(name)"] = table[id].verdict
      }
      counts = [evaluations, edges, table.stepCount, table.visitCount, table.truncatedCount]
    }
  }
}
