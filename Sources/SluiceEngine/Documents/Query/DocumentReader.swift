// Documents as one evaluation reads them: each is asked for once, so that it stays the same.

struct DocumentReader<Documents: QueryDocuments> {
  private let documents: Documents
  private var roots: [ExactText: Documents.Value?] = [:]

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
}
