// Protocol/vectors/queries.json: verdicts and touches, on trees and on Automerge documents.

import Foundation
import SluiceAutomerge
import TestSupport
import Testing

@testable import SluiceEngine

@Suite struct QueryVectorTests {
  struct Vector: Decodable, CustomTestStringConvertible {
    struct Query: Decodable {
      var doc: String
      var path: [String]
      /// Nil for a query without schema.
      var schema: TestValue?

      private enum Field: CodingKey { case doc, path, schema }

      init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: Field.self)
        doc = try fields.decode(String.self, forKey: .doc)
        path = try fields.decode([String].self, forKey: .path)
        // JSON's null is a schema too.
        if fields.contains(.schema) { schema = try fields.decode(TestValue.self, forKey: .schema) }
      }
    }

    var id: String
    var name: String
    var docs: [String: TestValue]
    var query: Query
    var visitLimit: Int?
    var verdict: String
    var touchedDocs: [String]
    var touches: [TestValue]

    var testDescription: String { "\(id) \(name)" }

    var places: Set<QueryPlace> {
      Set(
        touches.compactMap { touch in
          guard case .array(let parts) = touch, case .string(let document) = parts[0],
            case .array(let path) = parts[1]
          else { return nil }
          let steps = path.compactMap { if case .string(let step) = $0 { step } else { nil } }
          return QueryPlace(document: document, path: steps)
        })
    }

    func documentQuery() throws -> DocumentQuery {
      let schema = try query.schema.map { try Schema(json: $0.json) } ?? .always
      return try DocumentQuery(document: query.doc, path: query.path, schema: schema)
    }

    var limits: DocumentQuery.Limits {
      var limits = DocumentQuery.Limits()
      if let visitLimit { limits.visitCountMax = visitLimit }
      return limits
    }
  }

  private struct File: Decodable { var vectors: [Vector] }

  static let vectors: [Vector] = {
    do {
      let file = repositoryFile("Protocol/vectors/queries.json")
      return try JSONDecoder().decode(File.self, from: Data(contentsOf: file)).vectors
    } catch {
      fatalError("Protocol/vectors/queries.json: \(error)")
    }
  }()

  @Test func thereAreVectors() { #expect(Self.vectors.count == 157) }

  @Test(arguments: vectors) func aTreeGivesTheVerdictAndTouches(of vector: Vector) throws {
    let evaluation = QueryEvaluation(
      try vector.documentQuery(), in: TestDocuments(roots: vector.docs), limits: vector.limits)
    check(evaluation, vector)
  }

  @Test(arguments: vectors) func aViewGivesTheVerdictAndTouches(of vector: Vector) throws {
    let views = try vector.docs.mapValues { try document(of: $0).view }
    let evaluation = QueryEvaluation(
      try vector.documentQuery(), in: ViewDocuments(views: views), limits: vector.limits)
    check(evaluation, vector)
  }

  private func check(_ evaluation: QueryEvaluation, _ vector: Vector) {
    #expect(evaluation.verdict.name == vector.verdict)
    #expect(Set(evaluation.documents) == Set(vector.touchedDocs))
    #expect(Set(evaluation.touches) == vector.places)
  }
}

/// Automerge documents by their ids.
struct ViewDocuments: QueryDocuments {
  var views: [String: View]

  func root(ofDocument id: String) -> ViewValue? { views[id].map { ViewValue($0) } }
}
