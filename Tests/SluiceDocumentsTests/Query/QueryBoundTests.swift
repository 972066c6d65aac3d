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

  // MARK: Long paths

  @Test func aLongPathIsRefusedAndALinkWithOneIsData() throws {
    func steps(_ count: Int) -> [String] { Array(repeating: "x", count: count) }
    #expect(throws: QueryError(.tooLongPath(stepCountMax: 256))) {
      try DocumentQuery(document: "A", path: steps(257), schema: .always)
    }
    _ = try DocumentQuery(document: "A", path: steps(256), schema: .always)
    for (count, expected) in [(256, QueryVerdict.no), (257, .yes)] {
      let documents = TestDocuments(roots: ["A": .link("B", steps(count)), "B": .null])
      let query = try DocumentQuery("A", [], #"{"type":"object"}"#)
      #expect(QueryEvaluation(query, in: documents).verdict == expected)
    }
  }

  @Test(.timeLimit(.minutes(1))) func aPathThatLinksMakeLongerTouchesNoMoreThanTheSteps() throws {
    // Each document adds 250 steps to a way that ends where nothing is.
    let steps = Array(repeating: "x", count: 250)
    var roots: [String: TestValue] = [:]
    for index in 0..<1_000 { roots["D\(index)"] = .link("D\(index + 1)", steps) }
    let query = try DocumentQuery("D0", [], #"{"type":"number"}"#)
    let evaluation = QueryEvaluation(query, in: TestDocuments(roots: roots))
    #expect(evaluation.verdict == .maybeExceededDepth)
    let stepCount = evaluation.touches.reduce(0) { $0 + $1.path.count }
    #expect(stepCount <= DocumentQuery.Limits().stepCountMax)
    // What comes where the steps ended is told.
    var followed = evaluation
    roots["D1000"] = .number(1)
    let change = followed.update(
      [DocumentDelta(document: "D1000", changed: [[]])], in: TestDocuments(roots: roots))
    #expect(change?.newVerdict == .maybeExceededDepth)
  }

  // MARK: Lists of the past

  @Test(.timeLimit(.minutes(1))) func aLongListOfThePastIsReadInOneGo() throws {
    var automerge = Document()
    var list = ObjectID.root
    try automerge.edit { edit in
      list = try edit.make(.list, forKey: "l")
      for _ in 0..<10_000 { try edit.append(1, to: list) }
    }
    let old = automerge.heads
    try automerge.edit { try $0.append("x", to: list) }
    let views = try ViewDocuments(views: ["A": automerge.view(at: old)])
    let alternatives = #"{"anyOf":[{"required":["x"]},{"items":{}},{"type":"number"}]}"#
    for schema in [#"{"type":"number"}"#, alternatives] {
      let query = try DocumentQuery("A", ["l"], #"{"items":\#(schema)}"#)
      #expect(QueryEvaluation(query, in: views).verdict == .yes)
    }
  }

  // MARK: Steps

  /// The steps of a query on one document.
  private func stepCount(_ root: TestValue, _ schema: String) throws -> Int {
    let query = try DocumentQuery("A", [], schema)
    return QueryEvaluation(query, in: TestDocuments(roots: ["A": root])).table.stepCount
  }

  @Test func aTextCostsItsLengthEachTimeThatItIsLookedAt() throws {
    let text = TestValue.string(String(repeating: "a", count: 16_000))
    for schema in [#"{"const":"b"}"#, #"{"enum":["b",1]}"#, #"{"pattern":"^b"}"#] {
      #expect(try stepCount(text, schema) >= 1_000, "\(schema)")
    }
    #expect(try stepCount(.array([text]), #"{"const":["b"]}"#) >= 1_000)
    // Who looks at the kind only does not make it.
    for schema in [#"{"type":"string"}"#, #"{"minimum":1}"#, #"{"const":[]}"#] {
      #expect(try stepCount(text, schema) < 100, "\(schema)")
    }
  }

  @Test func aConstantOfAnotherFormCostsAStep() throws {
    let constants = (0..<1_000).map { "[\($0),1]" }.joined(separator: ",")
    let schema = #"{"enum":[\#(constants)]}"#
    #expect(try stepCount(.array([.null]), schema) >= 1_000)
    #expect(try stepCount(.object(["x": .null]), schema) >= 1_000)
  }

  @Test func evaluationsArePaidForBeforeTheyAreMade() throws {
    // All parts of each document wait while the first one leads to the next document.
    let parts = (0..<500).map { #"{"required":["k\#($0)"]}"# }.joined(separator: ",")
    let schema = ##"{"allOf":[{"properties":{"n":{"$ref":"#"}}},\##(parts)]}"##
    var roots: [String: TestValue] = [:]
    for index in 0..<1_000 { roots["D\(index)"] = .object(["n": .link("D\(index + 1)")]) }
    let query = try DocumentQuery("D0", [], schema)
    let limits = DocumentQuery.Limits(stepCountMax: 1 << 18)
    let evaluation = QueryEvaluation(query, in: TestDocuments(roots: roots), limits: limits)
    #expect(evaluation.table.stepCount <= limits.stepCountMax)
    #expect(
      evaluation.dependencyCounts.evaluations
        <= limits.stepCountMax / DocumentQuery.Limits.stepsPerEvaluation)
  }

  @Test func aListWithoutStepsForItsElementsMakesNoPlaces() throws {
    let limits = DocumentQuery.Limits(stepCountMax: 20_000)
    let list = TestValue.array(Array(repeating: .null, count: 10_000))
    let evaluation = QueryEvaluation(
      try DocumentQuery("A", [], #"{"items":{"type":"null"}}"#),
      in: TestDocuments(roots: ["A": list]), limits: limits)
    #expect(evaluation.verdict == .maybeExceededDepth)
    #expect(evaluation.touches.count <= 20_000 / DocumentQuery.Limits.stepsPerEvaluation)
  }

  @Test func membersAreCountedAsTheyWereAndAre() throws {
    var automerge = Document()
    try automerge.edit { edit in
      for key in ["a", "b", "c"] { try edit.set(1, forKey: key, in: .root) }
    }
    let old = automerge.heads
    try automerge.edit { edit in
      try edit.removeValue(forKey: "a", in: .root)
      try edit.removeValue(forKey: "b", in: .root)
      try edit.set(2, forKey: "d", in: .root)
    }
    for (view, count) in [(try automerge.view(at: old), 3), (automerge.view, 2)] {
      let value = ViewValue(view)
      #expect((0...4).filter { value.hasCount($0) } == [count] && value.count == count)
    }
  }

  // MARK: Patterns, documents, texts

  @Test func thePatternsOfASchemaAreBoundedTogether() throws {
    func schema(_ count: Int) -> [UInt8] {
      // Each has 665 states.
      let patterns = (0..<count).map { #"{"pattern":"\#($0 + 1_000)a{660}"}"# }
      return Array(#"{"anyOf":[\#(patterns.joined(separator: ","))]}"#.utf8)
    }
    _ = try Schema(json: schema(30))
    var reason: QueryError.Reason?
    do throws(QueryError) { _ = try Schema(json: schema(31)) } catch { reason = error.reason }
    #expect(reason == .tooManyPatternStates(countMax: 20_000))
    // Equal ones are one.
    let same = Array(repeating: #"{"pattern":"a{660}"}"#, count: 31).joined(separator: ",")
    _ = try Schema(json: Array(#"{"items":[\#(same)]}"#.utf8))
  }

  @Test func aChainOfLinksLoadsNoMoreDocumentsThanTheBound() throws {
    var roots: [String: TestValue] = [:]
    for index in 0..<200 { roots["L\(index)"] = .link("L\(index + 1)") }
    roots["L200"] = .number(1)
    let documents = NotedDocuments(roots)
    let query = try DocumentQuery("L0", [], #"{"type":"number"}"#)
    for (bound, expected) in [(201, QueryVerdict.yes), (200, .maybeExceededDepth)] {
      documents.asked = []
      let evaluation = QueryEvaluation(
        query, in: documents, limits: .init(documentCountMax: bound))
      #expect(evaluation.verdict == expected)
      #expect(evaluation.documents.count == bound && Set(documents.asked).count == bound)
    }
    // Once the chain is shorter, its end is seen.
    var followed = QueryEvaluation(query, in: documents, limits: .init(documentCountMax: 200))
    documents.roots["L5"] = .number(2)
    let change = followed.update([DocumentDelta(document: "L5", changed: [[]])], in: documents)
    #expect(change?.newVerdict == .yes && followed.documents.count == 6)
  }

  @Test(.timeLimit(.minutes(1))) func anObjectOfManyMembersIsReadInOneGo() throws {
    let members = (0..<60_000).map { #""k\#($0)":0"# }.joined(separator: ",")
    let tree = try QueryTree(
      Array("{\(members)}".utf8), limits: .init(byteCountMax: 1 << 20, depthMax: 1))
    #expect(tree.root.count == 60_000)
  }

  // MARK: Documents delivered along

  @Test func onlyTheQuerysDocumentsConcernWhatIsDeliveredAlong() throws {
    let documents = NotedDocuments(["A": .object(["x": .number(1)]), "Z": .null])
    var queries = StandingQueries(space: nil)
    _ = queries.add(try DocumentQuery("A", ["x"], "true"), in: documents)
    documents.asked = []
    let deltas = [
      DocumentDelta(document: "A", changed: [["y"]]), DocumentDelta(document: "Z", changed: [[]]),
    ]
    #expect(queries.onDelta(deltas, in: documents).map(\.changedDocuments) == [["A"]])
    #expect(documents.asked.isEmpty)
  }

  @Test func theSameSourcesAreLeftOutWhereThereAreTooMany() throws {
    let names = (10..<60).map { "A\($0)" }
    var roots: [String: TestValue] = [:]
    for name in names {
      roots[name] = .object(["source": .object(["id": .string("S" + name)])])
    }
    let found = SourceDocuments.closure(
      of: names.shuffled(), in: TestDocuments(roots: roots), space: nil, countMax: 3)
    #expect(found == Set(["SA10", "SA11", "SA12"].map { ExactText($0) }))
  }
}
