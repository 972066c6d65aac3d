// The section "Over shared memory" of Protocol/DOCUMENTS.md against the code, so that its tables cannot
// drift.

import SluiceAutomerge
import SluiceDocuments
import SluiceWire
import TestSupport
import Testing

@testable import struct SluiceEngine.BranchReference
@testable import class SluiceEngine.DocumentHub
@testable import class SluiceEngine.DocumentSession
@testable import struct SluiceEngine.Projection
@testable import struct SluiceEngine.SpaceError
@testable import struct SluiceEngine.SpaceVerification
@testable import struct SluiceEngine.TransactionRequest

@Suite struct DocumentServingSpecTests {
  private let spec: SpecDocument

  init() throws { spec = try SpecDocument("Protocol/DOCUMENTS.md") }

  private func expect<T: CaseIterable & RawRepresentable>(
    _ heading: String, are type: T.Type, sourceLocation: SourceLocation = #_sourceLocation
  ) throws where T.RawValue: BinaryInteger {
    let rows = try spec.rows(under: heading)
    #expect(
      rows.map { $0["name"] } == T.allCases.map { "\($0)" }, sourceLocation: sourceLocation)
    #expect(
      rows.map { number($0["value"]) } == T.allCases.map { UInt64($0.rawValue) },
      sourceLocation: sourceLocation)
  }

  @Test func theNumbersAreThoseOfTheCode() throws {
    try expect("Points", are: DocumentPointKind.self)
    try expect("Statuses", are: DocumentReceipt.Status.self)
    try expect("Roots", are: DocumentRoot.self)
    try expect("Forms", are: DocumentForm.self)
    try expect("Content kinds", are: DocumentContentKind.self)
    let flags: [(String, DocumentWriteFlags)] = [
      ("allowsServerMerge", .allowsServerMerge), ("mergesHeads", .mergesHeads),
      ("closesSources", .closesSources),
    ]
    let rows = try spec.rows(under: "Write flags")
    #expect(rows.map { $0["name"] } == flags.map(\.0))
    #expect(rows.map { number($0["value"]) } == flags.map { UInt64($0.1.rawValue) })
  }

  @Test func theCodesAreThoseOfTheCode() throws {
    let known = try spec.rows(under: "Space codes").compactMap { $0["code"] }
    #expect(known == SpaceError.Code.allCases.map(\.rawValue))
  }

  @Test func theLimitsAreThoseOfTheCode() throws {
    let limits: [(String, Int)] = [
      ("requestByteCountMaximum", DocumentSession.requestByteCountMax),
      ("answerByteCountMaximum", DocumentSession.answerByteCountMax),
      ("refusalByteCount", SpaceRefusal.byteCountMax),
      ("spaceCountMaximum", DocumentHub.spaceCountMax),
      ("writeCountMaximum", TransactionRequest.writeCountMax),
      ("readCountMaximum", TransactionRequest.readCountMax),
      ("changeCountMaximum", TransactionRequest.changeCountMax),
      ("mergeCountMaximum", TransactionRequest.mergeCountMax),
      ("pathCountMaximum", Projection.pathCountMax),
      ("pathDepthMaximum", Projection.pathDepthMax),
      ("findingCountMaximum", SpaceVerification.findingCountMax),
    ]
    let rows = try spec.rows(under: "Document limits")
    #expect(rows.map { $0["limit"] } == limits.map(\.0))
    #expect(rows.map { number($0["value"]) } == limits.map { UInt64($0.1) })
  }

  @Test func eachCallHasItsRow() throws {
    let calls = SluiceWire.Operation.allCases.filter { (0x0313...0x0323).contains($0.rawValue) }
    let rows = try spec.rows(under: "Requests and answers").compactMap { $0["operation"] }
    #expect(Set(rows) == Set(calls.map { "\($0)" }) && rows.count == calls.count)
  }

  // MARK: Bytes

  private let hash = ChangeHash([UInt8](repeating: 7, count: 32))!
  private let ref: [UInt8] = [1, 0, 0, 0, 100, 1, 0, 0, 0, 98]
  private let one: [UInt8] = [1, 0, 0, 0, 0, 0, 0, 0]
  private var heads: [UInt8] { [1, 0, 0, 0] + hash.bytes }

  /// The message as those bytes, and back.
  private func expect<M: DocumentMessage & Equatable>(
    _ message: M, _ bytes: [UInt8], sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    #expect(message.encoded == bytes, sourceLocation: sourceLocation)
    #expect(try M(decoding: bytes) == message, sourceLocation: sourceLocation)
    for count in bytes.indices {
      #expect(throws: WireError.self, sourceLocation: sourceLocation) {
        try M(decoding: Array(bytes[..<count]))
      }
    }
    #expect(throws: WireError.trailingBytes, sourceLocation: sourceLocation) {
      try M(decoding: bytes + [0])
    }
  }

  @Test func partsAreWrittenAsTheTablesSay() throws {
    let reference = DocumentReference("d", branch: "b")
    try expect(reference, ref)
    try expect(DocumentPoint.tip, [0])
    try expect(DocumentPoint.epoch(1), [1] + one)
    try expect(DocumentPoint.time("t"), [2, 1, 0, 0, 0, 116])
    try expect(DocumentPoint.heads([hash]), [3] + heads)
    try expect(DocumentPoint.sequence(1), [4] + one)
    try expect(
      DocumentState(epoch: 1, sequence: nil, heads: [hash]), [1] + one + [0] + heads)
    var branch = DocumentBranch(reference)
    branch.heads = [hash]
    branch.sequence = 1
    branch.epoch = 1
    branch.rootHash = [9]
    branch.root = .plain
    branch.isClosed = true
    branch.closedAt = "t"
    branch.createdAt = "c"
    branch.parent = .init(branch: "m", sequence: 1)
    branch.mergedInto = "m"
    let text = { (byte: UInt8) -> [UInt8] in [1, 0, 0, 0, byte] }
    try expect(
      branch,
      ref + heads + one + one + [1, 0, 0, 0, 9] + [1, 1] + [1] + [1] + text(116) + text(99) + [1]
        + text(109) + one + [1] + text(109))
    try expect(
      DocumentChange(sequence: 1, epoch: 1, hash: hash, bytes: [5]),
      one + one + hash.bytes + [1, 0, 0, 0, 5])
    try expect(
      DocumentCommit(epoch: 1, committedAt: "t", sequences: 1..<1, heads: [hash]),
      one + text(116) + one + one + heads)
    try expect(
      DocumentContent(.snapshot, [5], meta: "{"), [1] + [1, 0, 0, 0, 5] + [1] + text(123))
  }

  @Test func transactionsAndReceiptsAreWrittenAsTheTablesSay() throws {
    let reference = DocumentReference("d", branch: "b")
    let text = { (byte: UInt8) -> [UInt8] in [1, 0, 0, 0, byte] }
    var write = DocumentTransaction.Write(reference, base: [hash], changes: [[5, 6]])
    write.mergeOf = [.init(branch: "m", heads: [hash])]
    write.mergesHeads = true
    try expect(
      DocumentTransaction(
        clientTransactionID: "x", client: nil, reads: [.init(reference, heads: [hash])],
        writes: [write]),
      [1] + text(120) + [0] + [1, 0, 0, 0] + ref + heads + [1, 0, 0, 0] + ref + [1] + heads
        + [1, 0, 0, 0, 2, 0, 0, 0, 5, 6] + [1, 0, 0, 0] + text(109) + heads + [2])
    var result = DocumentReceipt.Result(reference, status: .conflict)
    result.heads = [hash]
    result.sequence = 1
    result.applied = 1
    result.root = .genesis
    result.code = "c"
    result.reason = "r"
    result.invariant = "i"
    try expect(
      DocumentReceipt(transactionID: 1, committedAt: "t", results: [], conflicts: [result]),
      one + [1] + text(116) + [0, 0, 0, 0] + [1, 0, 0, 0] + ref + [1] + [1] + heads + [1] + one
        + one + [1, 0] + [1] + text(99) + [1] + text(114) + [1] + text(105))
  }

  /// What can be read is written as exactly the same bytes: no message has two spellings.
  @Test func damagedMessagesAreRefusedOrReadConsistently() throws {
    var random = SeededRandom(for: "damagedMessagesAreRefusedOrReadConsistently")
    let reference = DocumentReference("doc:ä", branch: "main")
    var write = DocumentTransaction.Write(reference, base: [hash], changes: [[1, 2, 3]])
    write.mergeOf = [.init(branch: "draft", heads: [])]
    var branch = DocumentBranch(reference)
    branch.parent = .init(branch: "main", sequence: 4)
    var result = DocumentReceipt.Result(reference, status: .rejected)
    result.reason = "no"
    let samples: [(bytes: [UInt8], again: ([UInt8]) throws -> [UInt8])] = [
      (
        DocumentTransaction(clientTransactionID: "t", writes: [write]).encoded,
        { try DocumentTransaction(decoding: $0).encoded }
      ),
      (
        DocumentReceipt(transactionID: 1, committedAt: "t", results: [result], conflicts: [])
          .encoded,
        { try DocumentReceipt(decoding: $0).encoded }
      ),
      (branch.encoded, { try DocumentBranch(decoding: $0).encoded }),
      (
        ReadCall(reference, .heads([hash]), .json, paths: [["a"], []]).encoded,
        { try ReadCall(decoding: $0).encoded }
      ),
    ]
    var (refused, read) = (0, 0)
    for _ in 0..<20_000 {
      let sample = samples.randomElement(using: &random)!
      var bytes = sample.bytes
      for _ in 0...Int.random(in: 0...1, using: &random) {
        let index = Int.random(in: 0..<bytes.count, using: &random)
        bytes[index] ^= 1 << UInt8.random(in: 0...7, using: &random)
      }
      guard let again = try? sample.again(bytes) else {
        refused += 1
        continue
      }
      read += 1
      #expect(again == bytes)
    }
    #expect(refused > 1000 && read > 1000)
  }

  @Test func aRefusalAlwaysFitsItsRange() throws {
    let refusal = SpaceRefusal("InvalidArgument", String(repeating: "ü", count: 1000))
    #expect(refusal.encoded.count <= SpaceRefusal.byteCountMax)
    #expect(refusal.message.hasPrefix("üüü"))
    #expect(try SpaceRefusal(decoding: refusal.encoded).message == refusal.message)
  }
}
