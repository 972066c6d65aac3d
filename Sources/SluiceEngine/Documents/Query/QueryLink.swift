// Links between documents. A link is exactly {"/": {"link@1": {"id": string, "path": [string]}}}; the
// innermost object may have other members, of which `space` has a meaning. A longer path than a
// query may have makes it data.

struct QueryLink {
  var document: ExactText
  var path: [ExactText]
  /// Nil if the link names none.
  var space: String?

  /// Nil if the value is no link: then it is data.
  init?(_ value: some QueryValue) {
    // Most values have no such member, and to count members costs more.
    guard let outer = value.member(Self.outerKey), let inner = outer.member(Self.innerKey),
      value.hasCount(1), outer.hasCount(1),
      case .string(let id)? = inner.member(Self.idKey)?.scalar,
      let steps = inner.member(Self.pathKey), steps.kind == .array,
      steps.count <= DocumentQuery.pathStepCountMax
    else { return nil }
    document = id
    path = []
    for step in steps.elements {
      guard case .string(let step)? = step.scalar else { return nil }
      path.append(step)
    }
    if case .string(let space)? = inner.member(Self.spaceKey)?.scalar { self.space = space.text }
  }

  /// The key without which a value is no link.
  static let outerKey = ExactText("/")
  private static let innerKey = ExactText("link@1")

  /// What a reader has to know of a value that is not a link, and that it needs for `reading`: one
  /// that has the key becomes a link when another goes.
  static func reading(
    _ value: some QueryValue, for reading: PlaceTable.Reading
  ) -> PlaceTable.Reading {
    reading == .kind && value.member(outerKey) != nil ? .members : reading
  }

  static let idKey = ExactText("id")
  private static let pathKey = ExactText("path")
  static let spaceKey = ExactText("space")
}
