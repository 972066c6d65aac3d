// Queries: any text as a schema and as a pattern, over any documents. What compiles ends within its
// bounds, and following a change gives what an evaluation from nothing gives.

@testable import SluiceEngine

/// Texts with zero bytes between them: a schema, documents A and B, and then contents that A comes to
/// have.
struct QueryTarget: FuzzTarget {
  static let name = "query"

  static func seeds(from vectors: SeedVectors) -> [[UInt8]] {
    let link = #"{"/":{"link@1":{"id":"B","path":["x"]}}}"#
    let back = #"{"x":{"/":{"link@1":{"id":"A","path":[]}}},"y":[1,2.5,null,"text"]}"#
    let recursive =
      ##"{"$defs":{"N":{"anyOf":[{"type":"null"},{"required":["x"],"properties":{"##
      + ##""x":{"$ref":"#/$defs/N"}}}]}},"$ref":"#/$defs/N"}"##
    let wide =
      #"{"items":[{"minimum":1,"exclusiveMaximum":3},{"enum":[{"a":[1]},2.5]}],"#
      + #""allOf":[{"type":["array","object"]},{"additionalProperties":{"const":{"b":null}}}]}"#
    let pattern = #"{"pattern":"^(?:a|[b-d\\w]{1,3})+\\b.?$"}"#
    return [
      [recursive, link, back, back, "{}"], [wide, "[1,2.5]", back, #"{"c":{"b":null}}"#],
      [pattern, #""abcd""#, "null", #"{"x":"aa"}"#], [#"{"items":true}"#, "[\(link)]", back],
    ].map { Array($0.joined(separator: "\0").utf8) }
  }

  private struct Documents: QueryDocuments {
    var trees: [String: QueryTree]
    func root(ofDocument id: String) -> QueryTree.Value? { trees[id]?.root }
  }

  func run(_ input: [UInt8]) {
    let texts = input.split(separator: 0, omittingEmptySubsequences: false).map { Array($0) }
    let limits = DocumentQuery.Limits(visitCountMax: 20, stepCountMax: 1 << 16)
    checkPattern(texts[0], texts.last!, limits)
    guard let schema = try? Schema(json: texts[0]) else { return }
    var documents = Documents(trees: [:])
    for (name, text) in zip(["A", "B"], texts.dropFirst()) {
      documents.trees[name] = try? QueryTree(text)
    }
    guard let query = try? DocumentQuery(document: "A", path: [], schema: schema) else { return }
    var followed = QueryEvaluation(query, in: documents, limits: limits)
    for text in texts.dropFirst(3) {
      documents.trees["A"] = try? QueryTree(text)
      _ = followed.update([DocumentDelta(document: "A", changed: [[]])], in: documents)
      let fresh = QueryEvaluation(query, in: documents, limits: limits)
      require(fresh.table.stepCount <= limits.stepCountMax, "an evaluation beyond its steps")
      require(fresh.table.visitCount <= limits.visitCountMax, "an evaluation beyond its visits")
      require(followed.verdict == fresh.verdict, "following gives another verdict")
      require(Set(followed.touches) == Set(fresh.touches), "following gives other touches")
      require(followed.links == fresh.links, "following gives other links")
    }
  }

  private func checkPattern(_ source: [UInt8], _ text: [UInt8], _ limits: DocumentQuery.Limits) {
    guard let pattern = try? Pattern(String(decoding: source, as: UTF8.self)) else { return }
    require(pattern.program.count <= Pattern.instructionCountMax, "a pattern with too many states")
    var meter = StepMeter(limits.stepCountMax)
    _ = pattern.matches(String(decoding: text, as: UTF8.self), &meter)
  }
}
