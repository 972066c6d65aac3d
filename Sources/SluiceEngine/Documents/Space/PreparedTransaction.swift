// A request, decoded by its own thread before it waits for the writer.

internal import SluiceAutomerge

struct PreparedTransaction: Sendable {
  struct Write: Sendable {
    var write: TransactionRequest.Write
    /// In the request's order, up to the first that is none.
    var changes: [Change]
    /// Why a change is none.
    var flaw: TransactionReceipt.Result?
  }

  var request: TransactionRequest
  var writes: [Write]
  /// SHA-256 of what the request asks for; empty if it has no id.
  var digest: [UInt8]
  /// Why the whole is refused before it is looked at.
  var flaw: TransactionReceipt?

  init(_ request: TransactionRequest, _ notary: SpaceNotary) {
    self.request = request
    writes = []
    digest =
      request.clientTransactionID == nil ? [] : notary.sha256(request.identifyingBytes)
    if let message = request.flaw {
      let ref = request.writes.first?.ref ?? BranchReference("")
      flaw = .refused([], [.refusal(ref, .rejected, .limitReached, message)])
      return
    }
    for write in request.writes { writes.append(Self.decode(write)) }
  }

  private static func decode(_ write: TransactionRequest.Write) -> Write {
    var decoded = Write(write: write, changes: [])
    if let (code, message) = write.ref.flaw {
      decoded.flaw = .refusal(
        write.ref, .rejected, code == .invalidDoc ? .invalidDoc : .invalidBranch, message)
      return decoded
    }
    for bytes in write.changes {
      do throws(AutomergeError) { decoded.changes.append(try Change(bytes)) } catch {
        decoded.flaw = .refusal(
          write.ref, .rejected, .invalidChange,
          "change \(decoded.changes.count) of the write is none: \(error)")
        return decoded
      }
    }
    return decoded
  }

  /// All branches that the request names.
  var refs: Set<BranchReference> {
    var refs = Set(request.reads.map(\.ref))
    for write in request.writes {
      refs.insert(write.ref)
      for source in write.mergeOf {
        refs.insert(BranchReference(write.ref.docID, branch: source.branch))
      }
    }
    return refs.filter { $0.flaw == nil }
  }
}
