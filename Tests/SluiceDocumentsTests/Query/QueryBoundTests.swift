// The bounds of an evaluation's time and memory, where hostile documents and queries reach them.

import SluiceAutomerge
import Testing

@testable import SluiceEngine

@Suite struct QueryBoundTests {
  /// Documents that can be hidden, and that note which were asked for.
  final class NotedDocuments: QueryDocuments {
    var roots: [String: TestValue]
    var asked: [String] = []

    init(_ roots: [String: TestValue]) { self.roots = roots }

    func root(ofDocument id: String) -> TestValue? {
      asked.append(id)
      return roots[id]
    }
  }

  // MARK: What is gone

  @Test(.timeLimit(.minutes(1))) func aDocumentThatIsHiddenWithoutAChangeIsAbsent() throws {
    let documents = NotedDocuments([
      "A": .object(["x": .link("B")]), "B": .object(["y": .number(1)]),
    ])
    let schema = #"""
      {"anyOf":[{"properties":{"x":{"properties":{"y":{"const":1}}}}},{"type":"null"}]}
      """#
    var evaluation = QueryEvaluation(try DocumentQuery("A", [], schema), in: documents)
    #expect(evaluation.verdict == .yes)
    documents.roots = ["B": .object(["y": .number(2)])]
    let change = evaluation.update([DocumentDelta(document: "B", changed: [["y"]])], in: documents)
    #expect(change?.newVerdict == .no && evaluation.documents == ["A"])
    // Once it is named, it is what it was.
    documents.roots = ["A": .object(["x": .link("B")]), "B": .object(["y": .number(1)])]
    let again = evaluation.update([DocumentDelta(document: "A", changed: [[]])], in: documents)
    #expect(again?.newVerdict == .yes && Set(evaluation.documents) == ["A", "B"])
  }
}
