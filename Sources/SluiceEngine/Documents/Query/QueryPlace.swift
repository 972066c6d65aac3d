// Places in documents, as queries and their answers name them.

/// A place in a document: the steps from its root, array indices in decimal. Equal if the bytes are.
struct QueryPlace: Sendable {
  var document: String
  var path: [String]

  init(document: String, path: [String] = []) {
    self.document = document
    self.path = path
  }
}

extension QueryPlace: Hashable {
  static func == (left: QueryPlace, right: QueryPlace) -> Bool {
    ExactText(left.document) == ExactText(right.document) && left.path.count == right.path.count
      && zip(left.path, right.path).allSatisfy { ExactText($0) == ExactText($1) }
  }

  func hash(into hasher: inout Hasher) {
    hasher.combine(ExactText(document))
    for step in path { hasher.combine(ExactText(step)) }
  }
}
