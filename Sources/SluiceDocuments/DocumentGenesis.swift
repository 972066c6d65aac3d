// The change with which a document begins that has no plain beginning. It follows from the document's
// id alone, so it is never stored: each reader makes it anew.

public import SluiceAutomerge

public enum DocumentGenesis {
  /// The genesis of a document: one actor, the bytes of the id; one change, which sets a key of the
  /// root and removes it. Throws for ids that cannot be actors.
  public static func change(of docID: String) throws(AutomergeError) -> Change {
    guard let actor = ActorID(Array(docID.utf8)) else { throw AutomergeError(.actorEmpty) }
    var document = Document(actor: actor)
    let change = try document.edit { edit throws(AutomergeError) in
      try edit.set(.int(1), forKey: "__genesis__")
      try edit.removeValue(forKey: "__genesis__")
    }
    guard let change else { throw AutomergeError(.operationMissing) }
    return change
  }
}
