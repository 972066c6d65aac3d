// A query and its answer.

/// A place to begin at, and a schema for the value that stands there. Links are followed, on the path
/// and within the value.
struct DocumentQuery: Sendable {
  let document: String
  let path: [String]
  let schema: Schema

  /// The steps of a query's path, and of a link's.
  static let pathStepCountMax = 256

  /// Refuses a path that is too long.
  init(document: String, path: [String], schema: Schema) throws(QueryError) {
    guard path.count <= Self.pathStepCountMax else {
      throw QueryError(.tooLongPath(stepCountMax: Self.pathStepCountMax))
    }
    self.document = document
    self.path = path
    self.schema = schema
  }

  struct Limits: Sendable {
    /// Pairs of schema and place that are reached through a link.
    var visitCountMax = 16_384
    /// Documents of which a place is touched.
    var documentCountMax = 16_384
    /// The bound of time and memory. Each evaluation costs `stepsPerEvaluation` and the steps of its
    /// path, before it is made; the protocol's text lists the rest.
    var stepCountMax = 1 << 22

    static let stepsPerEvaluation = 16
  }
}

/// Whether a value satisfies a schema. In conjunctions the least counts, in alternatives the greatest.
enum QueryVerdict: UInt8, Comparable, Sendable {
  case no
  /// Nothing refutes it as far as the limits let the evaluation look.
  case maybeExceededDepth
  case yes

  static func < (left: QueryVerdict, right: QueryVerdict) -> Bool {
    left.rawValue < right.rawValue
  }

  /// The word in messages.
  var name: String {
    switch self {
    case .no: "No"
    case .maybeExceededDepth: "MaybeExceededDepth"
    case .yes: "Yes"
    }
  }
}

/// A link that an evaluation met.
struct QueryLinkEdge: Hashable, Sendable {
  /// Where the link stands.
  var source: QueryPlace
  /// What it names.
  var target: QueryPlace
}

/// What became of documents in a commit.
struct DocumentDelta: Sendable {
  var document: String
  /// The paths of values that are others than before, or that are new. A value that comes, goes or is
  /// replaced is named itself, or a value that it is in; `[]` is the whole document. For a list that
  /// gained or lost elements, the list is named.
  var changed: [[String]]
  /// The paths of values that are gone.
  var removed: [[String]]

  init(document: String, changed: [[String]] = [], removed: [[String]] = []) {
    self.document = document
    self.changed = changed
    self.removed = removed
  }
}
