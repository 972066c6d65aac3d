// The bytes of document calls, as a hostile peer writes them: they are refused, or read as the one
// message that has exactly these bytes.

import SluiceDocuments
import SluiceWire

struct DocumentsTarget: FuzzTarget {
  static let name = "documents"

  private static var messages: [any DocumentMessage.Type] {
    [
      DocumentTransaction.self, DocumentReceipt.self, ReadCall.self, ReadAnswer.self,
      ValueCall.self,
      BranchesAnswer.self, ChangesAnswer.self, LogAnswer.self, CreateBranchCall.self,
      ContentAnswer.self, DocumentVerification.self, SpaceRefusal.self,
    ]
  }

  static func seeds(from vectors: SeedVectors) -> [[UInt8]] {
    let ref = DocumentReference("doc:1")
    var write = DocumentTransaction.Write(ref, base: [], changes: [[1, 2, 3]])
    write.mergeOf = [.init(branch: "draft", heads: [])]
    let transaction = DocumentTransaction(
      clientTransactionID: "t", client: "c", reads: [.init(ref, heads: [])], writes: [write])
    return [
      [0] + transaction.encoded, [2] + ReadCall(ref, .time("t"), .json, paths: [["a"]]).encoded,
      [4] + ValueCall(ref, .epoch(1), ["a"]).encoded,
      [5] + BranchesAnswer([DocumentBranch(ref)]).encoded,
    ]
  }

  func run(_ input: [UInt8]) {
    guard let choice = input.first else { return }
    let bytes = Array(input.dropFirst())
    let message = Self.messages[Int(choice) % Self.messages.count]
    guard let again = try? message.init(decoding: bytes).encoded else { return }
    require(again == bytes, "a message of two spellings")
  }
}
