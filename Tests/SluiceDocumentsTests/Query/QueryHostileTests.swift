// Queries and documents that want to exhaust the engine: they are refused, or end with a verdict.

import Testing

@testable import SluiceEngine

@Suite struct QueryHostileTests {
  @Test func schemasAreBoundedInSizeDepthAndNumber() {
    func error(_ schema: String) -> QueryError.Reason? {
      do throws(QueryError) {
        _ = try Schema(json: Array(schema.utf8))
        return nil
      } catch { return error.reason }
    }
    let deep =
      String(repeating: #"{"items":"#, count: 129) + "{}" + String(repeating: "}", count: 129)
    #expect(error(deep) == .tooDeep(depthMax: 128))
    #expect(error(String(repeating: "[", count: 60_000)) == .tooDeep(depthMax: 128))
    #expect(error(String(repeating: " ", count: 70_000)) == .tooLarge(byteCountMax: 65_536))
    let many = #"{"anyOf":[\#(Array(repeating: "{}", count: 5_000).joined(separator: ","))]}"#
    #expect(error(many) == .tooManySchemas(countMax: 4_096))
  }

  @Test func referencesThatMultiplyAreOneEvaluationEach() throws {
    // Each definition needs the next one twice: as a tree it would have 2^200 parts.
    var definitions = (0..<200).map { index in
      let next = ##"{"$ref":"#/$defs/d\##(index + 1)"}"##
      return #""d\#(index)":{"allOf":[{"anyOf":[\#(next)]},{"allOf":[\#(next),{}]}]}"#
    }
    definitions.append(#""d200":{"properties":{"x":{"type":"number"}}}"#)
    let schema = ##"{"$ref":"#/$defs/d0","$defs":{\##(definitions.joined(separator: ","))}}"##
    #expect(try verdict(["A": #"{"x":1}"#], "A", [], schema) == .yes)
    #expect(try verdict(["A": #"{"x":"1"}"#], "A", [], schema) == .no)
    #expect(try verdict([:], "A", [], schema) == .no)
  }

  @Test(arguments: [(1_000, QueryVerdict.yes), (50_000, .maybeExceededDepth)])
  func documentsThatAreDeepAreWalkedWithoutRecursion(
    _ depth: Int, _ expected: QueryVerdict
  ) throws {
    let text =
      String(repeating: #"{"n":"#, count: depth) + "1" + String(repeating: "}", count: depth)
    let tree = try QueryTree(
      Array(text.utf8), limits: .init(byteCountMax: 1 << 20, depthMax: depth))
    struct One: QueryDocuments {
      var tree: QueryTree
      func root(ofDocument id: String) -> QueryTree.Value? { tree.root }
    }
    let schema = ##"{"anyOf":[{"type":"number"},{"properties":{"n":{"$ref":"#"}}}]}"##
    let query = try DocumentQuery("A", [], schema)
    let evaluation = QueryEvaluation(query, in: One(tree: tree))
    #expect(evaluation.verdict == expected)
  }

  @Test func aGraphOfLinksIsVisitedAtMostAsOftenAsTheCapAllows() throws {
    // Each document links to all: 300 documents, 90,000 links, one pair for each document.
    let names = (0..<300).map { "D\($0)" }
    let links = TestValue.array(names.map { .link($0) })
    let roots = Dictionary(uniqueKeysWithValues: names.map { ($0, links) })
    let query = try DocumentQuery("D0", [], ##"{"items":{"$ref":"#"}}"##)
    for (cap, expected) in [
      (300, QueryVerdict.yes), (299, .maybeExceededDepth), (0, .maybeExceededDepth),
    ] {
      let evaluation = QueryEvaluation(
        query, in: TestDocuments(roots: roots), limits: .init(visitCountMax: cap))
      #expect(evaluation.verdict == expected && evaluation.table.visitCount == min(cap, 300))
    }
  }

  @Test func aChainOfLinksEndsWithTheSteps() throws {
    // No value on the way, so no visit either.
    var roots: [String: TestValue] = [:]
    for index in 0..<2_000 { roots["L\(index)"] = .link("L\(index + 1)") }
    roots["L2000"] = .number(1)
    let query = try DocumentQuery("L0", [], #"{"type":"number"}"#)
    let documents = TestDocuments(roots: roots)
    #expect(QueryEvaluation(query, in: documents).verdict == .yes)
    let short = QueryEvaluation(query, in: documents, limits: .init(stepCountMax: 5_000))
    #expect(short.verdict == .maybeExceededDepth && short.documents.count < 2_000)
  }

  @Test func aPathThatGrowsOnACircleEnds() throws {
    // Every step of the path leads back with more steps than it took.
    let steps = Array(repeating: "x", count: 50)
    let documents = TestDocuments(roots: [
      "A": .object(["x": .link("B", steps)]), "B": .object(["x": .link("A", steps)]),
    ])
    let query = try DocumentQuery(document: "A", path: steps, schema: .always)
    let evaluation = QueryEvaluation(query, in: documents)
    #expect(evaluation.verdict == .yes && evaluation.links.count == 2)
  }

  @Test func patternsShareTheStepsOfTheQuery() throws {
    let text = String(repeating: "a", count: 200_000)
    let documents = TestDocuments(roots: ["A": .array(Array(repeating: .string(text), count: 50))])
    let query = try DocumentQuery("A", [], #"{"items":{"pattern":"^(a|a?)+(b|a{50})+c$"}}"#)
    let evaluation = QueryEvaluation(query, in: documents)
    #expect(evaluation.verdict == .maybeExceededDepth)
    // The text that would end beyond the bound is not looked at again and again.
    #expect(evaluation.table.stepCount <= DocumentQuery.Limits().stepCountMax)
  }

  @Test func largeConstantsAreComparedWithinTheSteps() throws {
    // The difference stands where it is found last.
    let parts = Array(repeating: "[1,2,3]", count: 1_000).joined(separator: ",")
    let constant = "[0,\(parts),0]"
    let value = try TestValue.json("[9,\(parts),0]")
    let documents = TestDocuments(roots: ["A": .array(Array(repeating: value, count: 2_000))])
    let query = try DocumentQuery("A", [], #"{"items":{"const":\#(constant)}}"#)
    let evaluation = QueryEvaluation(query, in: documents)
    // A part of the elements is known to differ; the rest is not looked at.
    #expect(evaluation.verdict == .no && evaluation.table.truncatedCount > 0)
    #expect(evaluation.table.stepCount <= DocumentQuery.Limits().stepCountMax)
  }
}
