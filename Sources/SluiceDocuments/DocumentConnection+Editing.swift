// Edits: the tip is read, changed here, and sent with the heads on which the change rests. If somebody
// else was faster, the edit is done again on what they have made of it, so no update is lost.

public import SluiceAutomerge

extension DocumentConnection {
  /// How often an edit is tried at most.
  public static var editCountMax: Int { 64 }

  /// Edits a branch. A document or branch that is not there begins with the document's genesis.
  ///
  /// - Parameter body: edits the document that it is given. It may be called several times, each time
  ///   with the branch as it is then; its last outcome counts. What it throws ends the edit, and
  ///   nothing is stored.
  /// - Returns: the receipt; nil if `body` changed nothing.
  /// - Throws: `notStored` if the space refuses, or if others were faster `editCountMax` times.
  @discardableResult
  public func edit(
    _ ref: DocumentReference, client: String? = nil,
    _ body: (inout Edit) throws(AutomergeError) -> Void
  ) throws(DocumentFailure) -> DocumentReceipt? {
    var last: DocumentReceipt?
    for _ in 0..<Self.editCountMax {
      var (document, base) = try tip(ref)
      let change: Change?
      do throws(AutomergeError) { change = try document.edit(body) } catch {
        throw .automerge(error)
      }
      guard let change else { return nil }
      // With an id of its own, an answer that is lost is no reason to send the change twice.
      let receipt = try transact(
        DocumentTransaction(
          clientTransactionID: change.hash.description, client: client,
          writes: [.init(ref, base: base, changes: [change.bytes])]))
      if receipt.isStored { return receipt }
      guard receipt.conflicts.allSatisfy({ $0.status == .conflict }) else {
        throw .notStored(receipt)
      }
      last = receipt
    }
    throw last.map { .notStored($0) } ?? .closed
  }

  /// The branch as a document with an actor of its own, and the heads by which the space knows it.
  public func tip(
    _ ref: DocumentReference
  ) throws(DocumentFailure) -> (document: Document, heads: [ChangeHash]) {
    do throws(DocumentFailure) {
      let (state, bytes) = try bytes(ref)
      if !state.heads.isEmpty { return (try loaded(bytes), state.heads) }
    } catch {
      switch error {
      case .space("InvalidDoc", _), .space("InvalidBranch", _): break
      default: throw error
      }
    }
    return try beginning(of: ref)
  }

  private func loaded(_ bytes: [UInt8]) throws(DocumentFailure) -> Document {
    do throws(AutomergeError) { return try Document(loading: bytes) } catch {
      throw .automerge(error)
    }
  }

  /// A branch without changes.
  private func beginning(
    of ref: DocumentReference
  ) throws(DocumentFailure) -> (document: Document, heads: [ChangeHash]) {
    do throws(AutomergeError) {
      let genesis = try DocumentGenesis.change(of: ref.docID)
      var document = Document()
      try document.apply(genesis)
      return (document, [genesis.hash])
    } catch {
      throw .automerge(error)
    }
  }
}
