// The bytes of document calls, as a hostile peer writes them: they are refused, or read as the one
// message that has exactly these bytes.

import SluiceDocuments
import SluiceWire

struct DocumentsTarget: FuzzTarget {
  static let name = "documents"

  private static let readers: [@Sendable ([UInt8]) throws(WireError) -> [UInt8]] = [
    { (bytes) throws(WireError) in try DocumentTransaction(decoding: bytes).encoded },
    { (bytes) throws(WireError) in try DocumentReceipt(decoding: bytes).encoded },
    { (bytes) throws(WireError) in try ReadCall(decoding: bytes).encoded },
    { (bytes) throws(WireError) in try ReadAnswer(decoding: bytes).encoded },
    { (bytes) throws(WireError) in try ValueCall(decoding: bytes).encoded },
    { (bytes) throws(WireError) in try BranchesAnswer(decoding: bytes).encoded },
    { (bytes) throws(WireError) in try ChangesAnswer(decoding: bytes).encoded },
    { (bytes) throws(WireError) in try LogAnswer(decoding: bytes).encoded },
    { (bytes) throws(WireError) in try CreateBranchCall(decoding: bytes).encoded },
    { (bytes) throws(WireError) in try ContentAnswer(decoding: bytes).encoded },
    { (bytes) throws(WireError) in try DocumentVerification(decoding: bytes).encoded },
    { (bytes) throws(WireError) in try SpaceRefusal(decoding: bytes).encoded },
  ]

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
    let reader = Self.readers[Int(choice) % Self.readers.count]
    guard let again = try? reader(bytes) else { return }
    require(again == bytes, "a message of two spellings")
  }
}
