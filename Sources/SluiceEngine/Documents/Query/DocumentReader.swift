// Documents as one evaluation reads them: each is asked for once, so that it stays the same. The
// values of alternatives are kept, because to find an element of a list anew may take as long as
// the list.

struct DocumentReader<Documents: QueryDocuments> {
  private let documents: Documents
  private var roots: [ExactText: Documents.Value?] = [:]

  private var alternatives: [PlaceTable.PlaceID: Documents.Value] = [:]

  init(_ documents: Documents) { self.documents = documents }

  mutating func root(of document: ExactText) -> Documents.Value? {
    if let known = roots[document] { return known }
    let root = documents.root(ofDocument: document.text)
    roots[document] = .some(root)
    return root
  }

  /// What stands at a path; links are not followed.
  mutating func value(in document: ExactText, at path: [ExactText]) -> Documents.Value? {
    var value = root(of: document)
    for key in path { value = value?.child(key) }
    return value
  }

  /// Keeps the value of an alternative that waits for its parts.
  mutating func keep(_ value: Documents.Value, at place: PlaceTable.PlaceID) {
    alternatives[place] = value
  }

  /// A value that was kept.
  func value(at place: PlaceTable.PlaceID) -> Documents.Value? { alternatives[place] }
}
