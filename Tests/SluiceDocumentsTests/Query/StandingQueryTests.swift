// Queries that follow commits, and what they tell.

import SluiceAutomerge
import Testing

@testable import SluiceEngine

@Suite struct StandingQueryTests {
  @Test func aVerdictFlipsWithTheTagOfALinkedDocument() throws {
    var documents = TestDocuments(roots: [
      "A": .object(["c": .array([.link("B")])]), "B": .object(["tag": .string("div")]),
    ])
    var queries = StandingQueries(space: nil)
    let schema = #"{"items":{"properties":{"tag":{"const":"span"}}}}"#
    let id = queries.add(try DocumentQuery("A", ["c"], schema), in: documents)
    #expect(queries.verdict(of: id) == .no)
    documents.roots["B"] = .object(["tag": .string("span")])
    let events = queries.onDelta(
      [DocumentDelta(document: "B", changed: [["tag"]])], in: documents)
    #expect(events.count == 1 && events[0].query == id)
    #expect(events[0].verdictChanged && events[0].verdict == .yes)
    #expect(events[0].changedDocuments == ["B"] && events[0].touchAdded.isEmpty)
  }

  @Test func aNewElementIsTouchedWithItsDocument() throws {
    var documents = TestDocuments(roots: [
      "A": .object(["c": .array([.link("B")])]), "B": .null, "C": .null,
    ])
    var queries = StandingQueries(space: nil)
    let id = queries.add(try DocumentQuery("A", ["c"], #"{"items":true}"#), in: documents)
    documents.roots["A"] = .object(["c": .array([.link("B"), .link("C")])])
    let event = try #require(
      queries.onDelta([DocumentDelta(document: "A", changed: [["c"]])], in: documents).first)
    #expect(!event.verdictChanged && event.touchRemoved.isEmpty)
    #expect(
      Set(event.touchAdded) == [.init(document: "A", path: ["c", "1"]), .init(document: "C")])
    #expect(event.documentsAdded == ["C"])
    #expect(Set(queries.deliveredDocuments(of: id)) == ["A", "B", "C"])
    // From now on the query hears of C, and of nothing once it is removed.
    documents.roots["C"] = .number(1)
    let deltas = [DocumentDelta(document: "C", changed: [[]])]
    #expect(queries.onDelta(deltas, in: documents).map(\.changedDocuments) == [["C"]])
    queries.remove(id)
    #expect(queries.onDelta(deltas, in: documents).isEmpty && queries.verdict(of: id) == nil)
  }

  @Test func aHeldDocumentIsToldWhateverPathChanged() throws {
    let documents = TestDocuments(roots: ["A": .object(["x": .number(1), "y": .number(1)])])
    var queries = StandingQueries(space: nil)
    _ = queries.add(try DocumentQuery("A", ["x"], #"{"type":"number"}"#), in: documents)
    let events = queries.onDelta(
      [DocumentDelta(document: "A", changed: [["y"]])], in: documents)
    #expect(events.map(\.changedDocuments) == [["A"]])
    #expect(!events[0].verdictChanged && events[0].touchAdded.isEmpty)
    #expect(queries.onDelta([DocumentDelta(document: "B", changed: [[]])], in: documents).isEmpty)
  }

  @Test func oneCommitIsOneEventWhateverItChanged() throws {
    var documents = TestDocuments(roots: ["A": .link("B"), "B": .number(1), "C": .number(1)])
    var queries = StandingQueries(space: nil)
    _ = queries.add(try DocumentQuery("A", [], #"{"type":"number"}"#), in: documents)
    documents.roots = ["A": .link("C"), "B": .string("x"), "C": .number(2)]
    let events = queries.onDelta(
      ["A", "B", "C"].map { DocumentDelta(document: $0, changed: [[]]) }, in: documents)
    #expect(events.count == 1 && events[0].verdict == .yes)
    #expect(events[0].changedDocuments == ["A", "B", "C"])
    #expect(events[0].documentsAdded == ["C"] && events[0].documentsRemoved == ["B"])
  }

  @Test func sourcesComeAndGoWithTheDocumentsThatNameThem() throws {
    var documents = TestDocuments(roots: [
      "A": try .json(#"{"source":{"id":"S"},"v":1}"#), "S": .object([:]), "T": .null,
    ])
    var queries = StandingQueries(space: nil)
    let id = queries.add(try DocumentQuery("A", ["v"], "true"), in: documents)
    #expect(Set(queries.deliveredDocuments(of: id)) == ["A", "S"])
    documents.roots["S"] = try .json(#"{"source":{"id":"T"}}"#)
    let added = queries.onDelta(
      [DocumentDelta(document: "S", changed: [["source"]])], in: documents)
    #expect(added.map(\.documentsAdded) == [["T"]] && added.map(\.changedDocuments) == [["S"]])
    documents.roots["A"] = try .json(#"{"v":1}"#)
    let removed = queries.onDelta(
      [DocumentDelta(document: "A", removed: [["source"]])], in: documents)
    #expect(removed.map { Set($0.documentsRemoved) } == [["S", "T"]])
    #expect(queries.deliveredDocuments(of: id) == ["A"])
  }

  @Test func patchesOfAnAutomergeDocumentAreTheChangedPaths() throws {
    var automerge = Document()
    try automerge.edit { edit in
      let list = try edit.make(.list, forKey: "l")
      try edit.append("x", to: list)
      let task = try edit.append(.map, to: list)
      try edit.set(false, forKey: "done", in: task)
      let text = try edit.make(.text, forKey: "t")
      try edit.append(contentsOf: "hello", to: text)
    }
    var queries = StandingQueries(space: nil)
    let schema = #"""
      {"properties":{"l":{"items":{"anyOf":[{"type":"string"},
        {"properties":{"done":{"const":true}}}]}},"t":{"pattern":"^HELLO$"}}}
      """#
    let id = queries.add(
      try DocumentQuery("A", [], schema), in: ViewDocuments(views: ["A": automerge.view]))
    #expect(queries.verdict(of: id) == .no)
    func commit(_ body: (inout Edit) throws -> Void) throws -> StandingQueries.Event? {
      let old = automerge.heads
      try automerge.edit(body)
      let delta = DocumentDelta(
        document: "A", try automerge.difference(from: old, to: automerge.heads))
      return queries.onDelta([delta], in: ViewDocuments(views: ["A": automerge.view])).first
    }
    let list = try automerge.view.object(at: ["l"])
    let task = try automerge.view.object(at: ["l", 1])
    let text = try automerge.view.object(at: ["t"])
    let first = try commit { try $0.set(true, forKey: "done", in: task) }
    #expect(first?.verdict == .no)
    let second = try commit { try $0.replaceSubrange(0..<5, in: text, with: "HELLO") }
    #expect(second?.verdict == .yes && second?.verdictChanged == true)
    let third = try commit { try $0.insert(1, at: 0, in: list) }
    #expect(third?.verdict == .no)
    #expect(third?.touchAdded.contains(.init(document: "A", path: ["l", "2"])) == true)
    let fourth = try commit { try $0.remove(at: 0, in: list) }
    #expect(fourth?.verdict == .yes)
  }

  @Test func whatOneCommitHasNoStepsForIsStaleUntilItIsCaughtUpWith() throws {
    var documents = TestDocuments(roots: ["A": .array([.link("B"), .number(1)]), "B": .number(1)])
    var queries = StandingQueries(space: nil)
    let query = try DocumentQuery("A", [], #"{"items":{"type":"number"}}"#)
    let limits = DocumentQuery.Limits(visitCountMax: 0)
    let ids = (0..<3).map { _ in queries.add(query, in: documents, limits: limits) }
    let whole = queries.add(query, in: documents)
    let stepCount = QueryEvaluation(query, in: documents, limits: limits).table.stepCount
    documents.roots["A"] = .array([.link("B"), .string("x")])
    let deltas = [DocumentDelta(document: "A", changed: [["1"]])]
    // Steps for two of them. Who met no limit needs none.
    let events = queries.onDelta(deltas, in: documents, stepCountMax: 2 * stepCount)
    #expect(events.map(\.query) == ids + [whole])
    #expect(events.map(\.isStale) == [false, false, true, false])
    #expect(events.map(\.verdict) == [.no, .no, .maybeExceededDepth, .no])
    #expect(events.allSatisfy { $0.changedDocuments == ["A"] })
    #expect(queries.staleQueries == [ids[2]])
    // It goes on to hear of its documents, and nothing of it is lost.
    documents.roots["A"] = .array([.string("x")])
    let next = queries.onDelta(
      [DocumentDelta(document: "A", changed: [[]])], in: documents, stepCountMax: 0)
    #expect(next.map(\.isStale) == [true, true, true, false])
    let caughtUp = queries.catchUp(with: ids[2], in: documents)
    let event = try #require(caughtUp)
    #expect(event.verdict == .no && event.verdictChanged && !event.isStale)
    #expect(event.touchRemoved.contains(.init(document: "A", path: ["1"])))
    #expect(queries.staleQueries == [ids[0], ids[1]])
    let none = queries.catchUp(with: whole, in: documents)
    #expect(none == nil)
  }
}
