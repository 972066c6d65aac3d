// Links, spaces, and the documents that `source` names.

import Testing

@testable import SluiceEngine

@Suite struct QueryLinkTests {
  @Test(arguments: [
    #"{"/":{"link@1":{"path":[]}}}"#, #"{"/":{"link@1":{"id":"B"}}}"#,
    #"{"/":{"link@1":{"id":"B","path":[1]}}}"#, #"{"/":{"link@1":{"id":1,"path":[]}}}"#,
    #"{"/":{"link@1":{"id":"B","path":[]},"x":1}}"#, #"{"/":{"link@2":{"id":"B","path":[]}}}"#,
    #"{"/":{"link@1":{"id":"B","path":[]}},"x":1}"#, #"{"/":[]}"#, #"[{"/":1}]"#,
  ])
  func whatIsNotExactlyALinkIsData(_ value: String) throws {
    let documents = TestDocuments(roots: ["A": try .json(value), "B": .number(1)])
    let evaluation = QueryEvaluation(try DocumentQuery("A", [], "true"), in: documents)
    #expect(evaluation.documents == ["A"] && evaluation.links.isEmpty)
  }

  @Test func linksToOtherSpacesAreNotFollowedAndAssumedToMatch() throws {
    let documents = TestDocuments(roots: [
      "A": try .json(
        #"{"x":{"/":{"link@1":{"id":"B","path":["y"],"space":"did:key:z1"}}}}"#),
      "B": try .json(#"{"y":"text"}"#),
    ])
    let query = try DocumentQuery("A", ["x"], #"{"type":"number"}"#)
    let other = QueryEvaluation(query, in: documents, space: "did:key:z2")
    #expect(other.verdict == .yes && other.documents == ["A"])
    for space in ["did:key:z1", nil] {
      let own = QueryEvaluation(query, in: documents, space: space)
      #expect(own.verdict == .no && Set(own.documents) == ["A", "B"])
    }
  }

  @Test func anEvaluationTellsTheLinksThatItMet() throws {
    let documents = TestDocuments(roots: [
      "A": .object(["l": .array([.link("B", ["v"])])]), "B": .object(["v": .number(1)]),
    ])
    let query = try DocumentQuery("A", ["l", "0"], #"{"const":1}"#)
    let evaluation = QueryEvaluation(query, in: documents)
    #expect(
      evaluation.links == [
        .init(
          source: .init(document: "A", path: ["l", "0"]),
          target: .init(document: "B", path: ["v"]))
      ])
  }

  @Test func indicesAreWrittenInOneWay() throws {
    let documents = ["A": #"{"l":[7,8]}"#]
    #expect(try verdict(documents, "A", ["l", "1"], #"{"const":8}"#) == .yes)
    for step in ["01", "-1", "+1", "1.0", "", "2", "length", "99999999999999999999"] {
      #expect(try verdict(documents, "A", ["l", step], #"{"type":"number"}"#) == .no, "\(step)")
    }
  }

  @Test func sourcesAreNamedThroughEachOther() throws {
    let documents = TestDocuments(roots: [
      "A": try .json(#"{"source":{"id":"S","path":["x"]}}"#),
      "S": try .json(#"{"source":{"id":"T"},"x":{"/":{"link@1":{"id":"L","path":[]}}}}"#),
      "T": try .json(#"{"source":{"id":"A"}}"#),
      "L": .null,
      "F": try .json(#"{"source":{"id":"G","space":"did:key:other"}}"#),
      "D": try .json(#"{"source":"S"}"#),
    ])
    func sources(_ names: [String], space: String? = "did:key:own") -> Set<String> {
      Set(SourceDocuments.closure(of: names, in: documents, space: space).map(\.text))
    }
    #expect(sources(["A"]) == ["S", "T"])
    #expect(sources(["A", "S"]) == ["T"])
    #expect(sources(["F"]) == [] && sources(["F"], space: nil) == ["G"])
    #expect(sources(["D", "L", "nowhere"]) == [])
  }
}
