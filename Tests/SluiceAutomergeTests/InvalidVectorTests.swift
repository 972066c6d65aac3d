// What must be refused, each for its own reason.

import AutomergeScenarios
import Testing

@testable import SluiceAutomerge

struct InvalidVectorTests {
  /// The reasons that this library gives for a class of defect.
  private static let reasons: [String: Set<AutomergeError.Reason>] = [
    "bad-magic": [.badMagic], "bad-checksum": [.badChecksum],
    "unknown-chunk-type": [.unknownChunkType], "truncated": [.truncated],
    "leb-too-large": [.numberTooLarge], "counter-too-large": [.counterTooLarge],
    "zero-seq": [.sequenceZero], "invalid-utf8": [.invalidUTF8],
    "duplicate-column": [.columnOrder], "lone-value-column": [.valueWithoutMetadata],
    "no-ops": [.columnLength], "key-ambiguous": [.badKey], "bad-object-id": [.badObject],
    "bad-actor-index": [.actorIndex], "unknown-action": [.unknownAction],
    "non-numeric-inc": [.badIncrement], "overlong-leb": [.overlongNumber],
    "value-length": [.badValue], "rle-not-canonical": [.notCanonical],
    "truncated-column": [.truncated], "row-bomb": [.limitReached],
    "deps-order": [.dependencyOrder], "deps-duplicate": [.dependencyOrder],
    "empty-actor": [.actorEmpty], "trailing": [.truncated, .badMagic, .trailingBytes],
    "bad-deflate": [.damagedCompression, .trailingBytes], "deflate-bomb": [.limitReached],
    "head-index": [.headIndex], "trailing-in-chunk": [.trailingBytes],
    "dep-order": [.dependencyIndex], "heads-mismatch": [.headsMismatch, .operationMissing],
    "column-length": [.missingValue, .columnLength],
  ]

  @Test func everyDefectIsRefusedForItsReason() throws {
    for vector in try VectorFile.vectors("invalid") {
      let bytes = vector.bytes("bytes")
      var document = Document()
      let reason = refusal { document = try Document(loading: bytes) }
      let told = "\(vector.title): \(reason?.rawValue ?? "accepted")"
      if vector.text("verdict") == "reject" { #expect(reason != nil, "\(told)") }
      if let known = Self.reasons[vector.text("class")] {
        #expect(reason.map { known.contains($0) } == true, "\(told)")
      }
      if reason == nil {
        let accepted = vector.fields("ifAccepted")
        if accepted.has("heads") {
          #expect(document.heads == hashes(accepted.texts("heads")), "\(told)")
        }
        let again = try Document(loading: document.save())
        #expect(again.heads == document.heads, "\(told)")
      }
    }
  }

  @Test func fixturesLoadToTheReferencesHeadsTextsAndHashes() throws {
    for vector in try VectorFile.vectors("fixture") {
      guard let bytes = VectorFile.fixture(vector.text("file")) else { continue }
      var document = Document()
      let reason = refusal { document = try Document(loading: bytes) }
      let told = "\(vector.text("file")): \(reason?.rawValue ?? "accepted")"
      #expect((reason == nil) == (vector.text("verdict") == "accept"), "\(told)")
      guard reason == nil else { continue }
      #expect(document.heads == hashes(vector.texts("heads")), "\(told)")
      #expect(document.history.count == vector["changes"] as? Int, "\(told)")
      #expect(
        document.history.operationCount(includingDeletions: false) == vector["ops"] as? Int,
        "\(told)")
      let hashText = document.history.hashes.map(\.description).joined(separator: "\n")
      let digest = ChangeHash(digestOf: Array(hashText.utf8), from: 0)
      #expect("\(digest)" == vector.text("changeHashesSha256"), "\(told)")
      #expect(
        try document.view.properties(of: .root).map(\.key) == vector.texts("rootKeys"), "\(told)")
      try expectTexts(vector, document)
      if vector.has("state") {
        #expect(try stateText(document.view) == stateText(vector.fields("state")), "\(told)")
      }
      let again = try Document(loading: document.save())
      #expect(again.heads == document.heads, "\(told)")
      #expect(again.view.json() == document.view.json(), "\(told)")
    }
  }

  private func expectTexts(_ vector: Fields, _ document: Document) throws {
    for text in vector.list("texts") {
      let path = (text["path"] as! [Any]).map { step -> View.Step in
        (step as? String).map { .key($0) } ?? .index(step as! Int)
      }
      guard case .object(.text, let object)? = document.view.value(at: path) else {
        Issue.record("\(vector.text("file")): no text at \(path)")
        continue
      }
      let content = Array(try document.view.text(of: object).utf8)
      #expect(content.count == text["utf8"] as? Int)
      #expect("\(ChangeHash(digestOf: content, from: 0))" == text.text("sha256"))
    }
  }
}
