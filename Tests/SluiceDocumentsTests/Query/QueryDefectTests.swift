// The original's defects, each as what is right.

import Testing

@testable import SluiceEngine

@Suite struct QueryDefectTests {
  @Test func linksInACircleOnAPathLeadToNoValue() throws {
    // A step on the circle, a circle that makes the path longer, and one of three documents.
    let circles: [[String: String]] = [
      ["A": #"{"x":{"/":{"link@1":{"id":"A","path":["x"]}}}}"#],
      ["A": #"{"x":{"/":{"link@1":{"id":"A","path":["x","x"]}}}}"#],
      ["A": #"{"/":{"link@1":{"id":"A","path":["x"]}}}"#],
      [
        "A": #"{"x":{"/":{"link@1":{"id":"B","path":["x","y"]}}}}"#,
        "B": #"{"x":{"/":{"link@1":{"id":"C","path":["x"]}}}}"#,
        "C": #"{"x":{"/":{"link@1":{"id":"A","path":["x"]}}}}"#,
      ],
    ]
    for documents in circles {
      #expect(try verdict(documents, "A", ["x", "y"], "true") == .yes)
      #expect(try verdict(documents, "A", ["x", "y"], #"{"type":"object"}"#) == .no)
      #expect(try verdict(documents, "A", ["x"], #"{"type":"object"}"#) == .no)
    }
  }

  @Test func aLinkMayBeMetTwiceOnOnePath() throws {
    let documents = [
      "A": #"{"x":{"/":{"link@1":{"id":"B","path":[]}}}}"#,
      "B": #"{"y":{"/":{"link@1":{"id":"A","path":["x"]}}},"z":7}"#,
    ]
    #expect(try verdict(documents, "A", ["x", "y", "y", "y", "z"], #"{"const":7}"#) == .yes)
  }

  @Test func anUnknownDocumentIsAnAbsentValueAndTouched() throws {
    let query = try DocumentQuery("Q", ["p"], #"{"type":"object"}"#)
    let evaluation = QueryEvaluation(query, in: TestDocuments(roots: [:]))
    #expect(evaluation.verdict == .no)
    #expect(Set(evaluation.touches) == [.init(document: "Q"), .init(document: "Q", path: ["p"])])
    #expect(try verdict([:], "Q", [], #"{"anyOf":[{"const":1},{}]}"#) == .yes)
  }

  @Test func integersAndListsOfTypesAreChecked() throws {
    let documents = ["A": #"{"i":5,"w":5.0,"f":1.5,"s":"x","big":1e30}"#]
    for (key, isInteger) in [("i", true), ("w", true), ("f", false), ("s", false), ("big", true)] {
      let expected: QueryVerdict = isInteger ? .yes : .no
      #expect(try verdict(documents, "A", [key], #"{"type":"integer"}"#) == expected)
      #expect(try verdict(documents, "A", [key], #"{"type":["null","integer"]}"#) == expected)
    }
    #expect(try verdict(documents, "A", ["s"], #"{"type":["integer","string"]}"#) == .yes)
  }

  @Test func numericExclusiveBoundsCount() throws {
    for (schema, expected) in [
      (#"{"exclusiveMinimum":5}"#, QueryVerdict.no), (#"{"exclusiveMinimum":4.5}"#, .yes),
      (#"{"exclusiveMaximum":5}"#, .no), (#"{"exclusiveMaximum":5.5}"#, .yes),
      (#"{"minimum":5,"exclusiveMinimum":true}"#, .no),
      (#"{"maximum":5,"exclusiveMaximum":true}"#, .no),
      (#"{"maximum":5,"exclusiveMaximum":false}"#, .yes),
    ] {
      #expect(try verdict(["A": #"{"n":5}"#], "A", ["n"], schema) == expected, "\(schema)")
    }
  }

  @Test func constantsAreComparedAsValues() throws {
    let documents = ["A": #"{"o":{"a":1,"b":[{"c":2.0}]}}"#]
    #expect(try verdict(documents, "A", ["o"], #"{"const":{"b":[{"c":2}],"a":1.0}}"#) == .yes)
    #expect(try verdict(documents, "A", ["o"], #"{"enum":[1,{"b":[{"c":2}],"a":1}]}"#) == .yes)
    #expect(try verdict(documents, "A", ["o"], #"{"const":{"b":[{"c":3}],"a":1}}"#) == .no)
    #expect(try verdict(documents, "A", ["o"], #"{"const":{"a":1}}"#) == .no)
    // The forms of one character are two texts.
    let accents = ["A": #"{"s":"e\u0301"}"#]
    #expect(try verdict(accents, "A", ["s"], #"{"const":"\u00e9"}"#) == .no)
    #expect(try verdict(accents, "A", ["s"], #"{"const":"e\u0301"}"#) == .yes)
  }

  @Test func nodesAreTheSameByContentOnly() throws {
    let schema = try Schema(
      json: Array(#"{"allOf":[{"items":{"const":1}},{"items":{"const":1.0}}]}"#.utf8))
    // The constant and the elements; both parts are one node, which needs no conjunction.
    #expect(schema.nodes.filter { if case .elements = $0 { true } else { false } }.count == 1)
    #expect(schema.root == schema.nodes.firstIndex(of: .elements(0)).map { Int32($0) })
    // As many different ones as a hash of 32 bits would likely confuse, all told apart.
    let constants = (0..<4000).map { #"{"const":\#($0)}"# }.joined(separator: ",")
    let many = try Schema(json: Array(#"{"anyOf":[\#(constants)]}"#.utf8))
    #expect(Set(many.nodes).count == many.nodes.count && many.nodes.count >= 4001)
  }

  @Test func aQueryWithoutSchemaIsSatisfiedByAnything() throws {
    let query = try DocumentQuery(document: "A", path: [], schema: .always)
    let evaluation = QueryEvaluation(query, in: TestDocuments(roots: ["A": .number(1)]))
    #expect(evaluation.verdict == .yes && evaluation.documents == ["A"])
  }

  @Test func membersBehindARefutedOneAreTouched() throws {
    let documents = TestDocuments(roots: [
      "A": try .json(#"{"a":1,"b":{"/":{"link@1":{"id":"B","path":[]}}}}"#), "B": .null,
    ])
    let query = try DocumentQuery("A", [], #"{"properties":{"a":{"type":"string"},"b":{}}}"#)
    let evaluation = QueryEvaluation(query, in: documents)
    #expect(evaluation.verdict == .no && Set(evaluation.documents) == ["A", "B"])
  }

  @Test func recursionOverACircleIsYesUntilSomethingRefutesIt() throws {
    let schema = #"""
      {"$defs":{"N":{"type":"object","required":["v"],
        "properties":{"v":{"type":"number"},"next":{"$ref":"#/$defs/N"}}}},"$ref":"#/$defs/N"}
      """#
    var documents = [
      "A": #"{"v":1,"next":{"/":{"link@1":{"id":"B","path":[]}}}}"#,
      "B": #"{"v":2,"next":{"/":{"link@1":{"id":"A","path":[]}}}}"#,
    ]
    #expect(try verdict(documents, "A", [], schema) == .yes)
    documents["B"] = #"{"v":"2","next":{"/":{"link@1":{"id":"A","path":[]}}}}"#
    #expect(try verdict(documents, "A", [], schema) == .no)
  }

  @Test func theCapCountsVisitsNotDepth() throws {
    let links = (0..<20).map { #"{"/":{"link@1":{"id":"F\#($0)","path":[]}}}"# }
    var documents = ["R": "{\"c\":[\(links.joined(separator: ","))]}"]
    for index in 0..<20 { documents["F\(index)"] = #"{"v":1}"# }
    var limits = DocumentQuery.Limits()
    for (cap, expected) in [(19, QueryVerdict.maybeExceededDepth), (20, .yes)] {
      limits.visitCountMax = cap
      let schema = #"{"items":{"required":["v"]}}"#
      #expect(try verdict(documents, "R", ["c"], schema, limits: limits) == expected)
      // What refutes counts more than what was not looked at.
      let refuted = #"{"items":{"required":["w"]}}"#
      #expect(try verdict(documents, "R", ["c"], refuted, limits: limits) == .no)
    }
  }

  @Test func changesCountAboveAndBelowWhatWasTouched() throws {
    var documents = TestDocuments(roots: ["A": try .json(#"{"o":{"x":{"y":1}}}"#)])
    let query = try DocumentQuery("A", ["o"], #"{"properties":{"x":{"const":{"y":1}}}}"#)
    var evaluation = QueryEvaluation(query, in: documents)
    #expect(evaluation.verdict == .yes)
    // Below what was touched.
    documents.roots["A"] = try .json(#"{"o":{"x":{"y":2}}}"#)
    let change = evaluation.update(
      [DocumentDelta(document: "A", changed: [["o", "x", "y"]])], in: documents)
    #expect(change?.newVerdict == .no)
    // Above it.
    documents.roots["A"] = try .json(#"{"o":{"x":{"y":1}}}"#)
    #expect(
      evaluation.update([DocumentDelta(document: "A", changed: [[]])], in: documents)?.newVerdict
        == .yes)
    // Beside it.
    #expect(
      evaluation.update([DocumentDelta(document: "A", changed: [["p"]])], in: documents) == nil)
  }

  @Test func edgesToWhatIsNotReachedAreRemoved() throws {
    var documents = TestDocuments(roots: ["A": .link("B"), "B": .link("C"), "C": .number(1)])
    var evaluation = QueryEvaluation(try DocumentQuery("A", [], "true"), in: documents)
    #expect(Set(evaluation.documents) == ["A", "B", "C"])
    documents.roots["A"] = .number(2)
    let change = evaluation.update(
      [DocumentDelta(document: "A", changed: [[]])], in: documents)
    #expect(Set(change?.touchRemoved ?? []) == [.init(document: "B"), .init(document: "C")])
    #expect(evaluation.documents == ["A"] && evaluation.links.isEmpty)
    documents.roots["C"] = .number(3)
    #expect(
      evaluation.update([DocumentDelta(document: "C", changed: [[]])], in: documents) == nil)
  }
}
