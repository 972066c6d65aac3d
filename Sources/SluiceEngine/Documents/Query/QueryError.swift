// Why a query is refused, and where.

/// A query that cannot be compiled.
struct QueryError: Error, Hashable, Sendable {
  enum Reason: Hashable, Sendable {
    /// The schema is no JSON, or has a string with half a surrogate pair.
    case malformedJSON
    case tooLarge(byteCountMax: Int)
    case tooDeep(depthMax: Int)
    case tooManySchemas(countMax: Int)
    /// The query's own path.
    case tooLongPath(stepCountMax: Int)
    /// A keyword has a value of another form than it must.
    case wrongValue(keyword: String, expected: String)
    /// A keyword that restricts values in JSON Schema, and that queries do not have.
    case unsupportedKeyword(String)
    /// A `$ref` that leads nowhere, or out of the schema.
    case unresolvedReference(String)
    case pattern(PatternError)
    /// The patterns of a schema together.
    case tooManyPatternStates(countMax: Int)
  }

  let reason: Reason
  /// A JSON pointer into the schema; empty for its root.
  let place: String

  init(_ reason: Reason, at place: String = "") {
    self.reason = reason
    self.place = place
  }
}

extension QueryError: CustomStringConvertible {
  var description: String {
    place.isEmpty ? "schema: \(reason)" : "schema at \(place): \(reason)"
  }
}

extension QueryError.Reason: CustomStringConvertible {
  var description: String {
    switch self {
    case .malformedJSON: "is not JSON"
    case .tooLarge(let byteCountMax): "has more than \(byteCountMax) bytes"
    case .tooDeep(let depthMax): "is nested deeper than \(depthMax)"
    case .tooManySchemas(let countMax): "has more than \(countMax) schemas"
    case .tooLongPath(let stepCountMax): "stands at a path of more than \(stepCountMax) steps"
    case .wrongValue(let keyword, let expected): "\(keyword) must be \(expected)"
    case .unsupportedKeyword(let keyword): "\(keyword) is not supported in queries"
    case .unresolvedReference(let reference): "$ref \(reference) leads to no schema"
    case .pattern(let error): "pattern, at \(error.offset): \(error.reason)"
    case .tooManyPatternStates(let countMax): "has patterns of more than \(countMax) states"
    }
  }
}
