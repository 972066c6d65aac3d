// The change with which a document begins that has no plain beginning. It follows from the
// document's id alone, so it is never stored: each reader makes it anew.

package import SluiceAutomerge
internal import SluiceDocuments

/// How the history of a branch begins.
package enum Root: String, Sendable {
  /// With the genesis of the document, at sequence number 0.
  case genesis
  /// With changes that depend on nothing.
  case plain
}

package enum Genesis {
  /// The genesis of a document: one actor, the bytes of the id; one change, which sets a key of the
  /// root and removes it. Throws for ids that cannot be actors.
  package static func change(of docID: String) throws(AutomergeError) -> Change {
    try DocumentGenesis.change(of: docID)
  }
}
