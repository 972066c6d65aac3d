// Documents that are delivered along with others: a document may name one in `source` at its root,
// {"id": string, "path"?, "space"?}, and that one another. Links within are not followed.

enum SourceDocuments {
  /// More are not looked for.
  static let countMax = 16_384

  /// The documents that these name, directly and through each other, without those given.
  static func closure<Documents: QueryDocuments>(
    of documents: some Sequence<String>, in source: Documents, space: String?,
    countMax: Int = countMax
  ) -> Set<ExactText> {
    let given = Set(documents.map { ExactText($0) })
    var found = Set<ExactText>()
    // In the order of their ids, so that the bound always leaves out the same.
    var open = given.sorted { $1.precedes($0) }
    while let document = open.popLast(), found.count < countMax {
      guard let root = source.root(ofDocument: document.text),
        let value = root.member(key), value.kind == .object,
        case .string(let id)? = value.member(QueryLink.idKey)?.scalar
      else { continue }
      if let space, case .string(let other)? = value.member(QueryLink.spaceKey)?.scalar,
        other != ExactText(space)
      {
        continue
      }
      if !given.contains(id), found.insert(id).inserted { open.append(id) }
    }
    return found
  }

  /// Whether a change at a path can change what a document names.
  static func isConcerned(byChangeAt path: [String]) -> Bool {
    path.first.map { ExactText($0) == key } ?? true
  }

  private static let key = ExactText("source")
}
