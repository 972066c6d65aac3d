// Requests that no client of ours makes: each is refused or ends its own session, and the engine goes
// on for others.

import Foundation
import SluiceAutomerge
import SluiceChannel
import SluiceClient
import SluiceDocuments
import SluiceWire
import TestSupport
import Testing

/// A session whose requests are put together by hand.
private struct RawDocuments {
  let session: RingSession

  init(_ engine: DocumentEngine, opens: Bool = true) throws {
    session = try engine.session()
    guard opens else { return }
    #expect(try open(DocumentEngine.space).status == .done)
  }

  func open(
    _ space: String, directory: [UInt8] = [], room: Int = 4096
  ) throws -> (status: Status, payload: [UInt8]) {
    try ask(
      .documentsOpen,
      DocumentsOpenRequest(directory: directory, space: Array(space.utf8), creates: true),
      room: room)
  }

  func ask(
    _ operation: SluiceWire.Operation, _ arguments: some Message, _ payload: [UInt8] = [],
    room: Int = 4096
  ) throws -> (status: Status, payload: [UInt8]) {
    try session.withRing { (ring) throws(ChannelFailure) in
      let number = try unsafe ring.submit(
        operation, file: 0, arguments, room: max(room, payload.count),
        fill: { unsafe $0.copyBytes(from: payload) })!
      let placed = try session.answer(to: number, in: &ring)
      let answer = (placed.status, unsafe Array(placed.payload))
      ring.release(number)
      return answer
    }
  }

  func call(
    _ operation: SluiceWire.Operation, _ payload: [UInt8], byteCount: Int? = nil, room: Int = 4096
  ) throws -> (status: Status, payload: [UInt8]) {
    try ask(
      operation, DocumentsCallFields(byteCount: UInt64(byteCount ?? payload.count)), payload,
      room: room)
  }

  /// Whether the session has ended, as one does that broke the protocol.
  var isOver: Bool {
    (try? ask(.nothing, NoFields(), room: 0)) == nil
  }
}

@Suite(.timeLimit(.minutes(5))) struct HostileDocumentTests {
  private static let calls = SluiceWire.Operation.allCases.filter {
    (0x0313...0x0323).contains($0.rawValue)
  }

  private let engine: DocumentEngine
  private let honest: DocumentConnection

  init() throws {
    engine = try DocumentEngine(.onSocket)
    honest = try engine.connect()
    try honest.set("a", 1)
  }

  private func expectHonestGoesOn() throws {
    #expect(try honest.value(plan, path: ["a"]) == "1")
    #expect(try honest.verify().findings == [])
  }

  @Test func withoutAnOpenSpaceEverythingIsMisuse() throws {
    let raw = try RawDocuments(engine, opens: false)
    for operation in Self.calls { #expect(try raw.call(operation, []).status == .misuse) }
    #expect(try raw.ask(.documentsNext, OffsetFields(offset: 0)).status == .misuse)
    #expect(
      try raw.ask(.documentsStage, RecordsStageRequest(offset: 0, byteCount: 1), [1], room: 1)
        .status == .misuse)
    #expect(try raw.ask(.documentsClose, NoFields()).status == .misuse)
    #expect(try raw.open(DocumentEngine.space).status == .done)
    #expect(try raw.open(DocumentEngine.space).status == .misuse)
    #expect(try raw.ask(.documentsClose, NoFields()).status == .done)
    for operation in Self.calls { #expect(try raw.call(operation, []).status == .misuse) }
    #expect(try raw.open(DocumentEngine.space).status == .done)
    try expectHonestGoesOn()
  }

  @Test func aRangeWithoutRoomForARefusalIsRefused() throws {
    let raw = try RawDocuments(engine)
    for operation in Self.calls {
      #expect(try raw.call(operation, [], room: 511).status == .tooLittleRoom, "\(operation)")
    }
    let other = try RawDocuments(engine, opens: false)
    #expect(try other.open("did:key:zX", room: 511).status == .tooLittleRoom)
    try expectHonestGoesOn()
  }

  @Test func bytesThatAreNoRequestEndTheSession() throws {
    let ref = BranchCall(plan).encoded
    let damaged: [(SluiceWire.Operation, [UInt8])] = [
      (.documentsTransact, []), (.documentsTransact, [0, 0, 0xff, 0xff, 0xff, 0xff]),
      (.documentsTransact, [0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f]),
      (.documentsTransact, [2]), (.documentsRead, ref), (.documentsRead, ref + [5, 0, 0]),
      (.documentsRead, ref + [0, 2, 0]), (.documentsRead, ref + [0, 0, 0, 9]),
      (.documentsValue, ref + [0, 0xff, 0xff, 0xff, 0xff]), (.documentsBranch, ref + [0]),
      (.documentsBranch, Array(ref.dropLast())),
      (.documentsBranch, [1, 0, 0, 0, 0xff, 0, 0, 0, 0]),
      (.documentsChanges, ref + [UInt8](repeating: 0xff, count: 16)), (.documentsDocuments, [0]),
      (.documentsContentPut, [9, 0, 0, 0, 0, 0]), (.documentsSettings, []),
      (.documentsLog, ref), (.documentsVerify, [1]), (.documentsCreateBranch, ref + [1]),
    ]
    for (operation, bytes) in damaged {
      let raw = try RawDocuments(engine)
      #expect(throws: CallError.self, "\(operation) \(bytes)") { try raw.call(operation, bytes) }
      #expect(raw.isOver)
    }
    let raw = try RawDocuments(engine)
    #expect(throws: CallError.self, "more than the range") {
      try raw.call(.documentsBranch, ref, byteCount: 5000)
    }
    try expectHonestGoesOn()
  }

  @Test func piecesAndPartsOutOfOrderAreMisuse() throws {
    let raw = try RawDocuments(engine)
    func stage(_ offset: Int64, of byteCount: Int64, _ bytes: [UInt8]) throws -> Status {
      try raw.ask(
        .documentsStage, RecordsStageRequest(offset: offset, byteCount: byteCount), bytes,
        room: bytes.count
      ).status
    }
    let ref = BranchCall(plan).encoded
    #expect(try stage(1, of: 3, [1]) == .misuse)
    #expect(try stage(0, of: Int64(ref.count), Array(ref.prefix(3))) == .done)
    #expect(try stage(2, of: Int64(ref.count), [1]) == .misuse)
    #expect(try stage(3, of: Int64(ref.count) + 1, [1]) == .misuse)
    #expect(try raw.call(.documentsBranch, [], byteCount: 0).status == .misuse)
    // What was staged is gone; the next is whole.
    #expect(try stage(0, of: Int64(ref.count), Array(ref.prefix(3))) == .done)
    #expect(try stage(3, of: Int64(ref.count), Array(ref.dropFirst(3))) == .done)
    #expect(try raw.call(.documentsBranch, [], byteCount: 0).status == .done)
    #expect(try stage(0, of: 65 << 20, [1]) == .limitReached)
    // An answer of two parts.
    let long = String(repeating: "x", count: 2000)
    try honest.edit(plan) { edit throws(AutomergeError) in
      try edit.set(.text(long), forKey: "long")
    }
    let request = ReadCall(plan, .tip, .json).encoded
    let first = try raw.call(.documentsRead, request, room: 1000)
    #expect(first.status == .done && first.payload.count == 1000)
    #expect(try raw.ask(.documentsNext, OffsetFields(offset: 0)).status == .misuse)
    #expect(try raw.ask(.documentsNext, OffsetFields(offset: 1001)).status == .misuse)
    let second = try raw.ask(.documentsNext, OffsetFields(offset: 1000))
    #expect(second.status == .done && !second.payload.isEmpty)
    let next = Int64(1000 + second.payload.count)
    #expect(try raw.ask(.documentsNext, OffsetFields(offset: next)).status == .misuse)
    _ = try raw.call(.documentsRead, request, room: 1000)
    #expect(try raw.call(.documentsBranch, ref).status == .done)
    #expect(try raw.ask(.documentsNext, OffsetFields(offset: 1000)).status == .misuse)
    try expectHonestGoesOn()
  }

  @Test func aRequestThatIsTooLargeForTheSpaceIsRefusedWithItsReason() throws {
    let write = DocumentTransaction.Write(plan, base: nil, changes: [])
    let tooMany = DocumentTransaction(writes: Array(repeating: write, count: 1025))
    let receipt = try honest.transact(tooMany)
    #expect(!receipt.isStored && receipt.conflicts.first?.status == .rejected)
    #expect(receipt.conflicts.first?.code == "LimitReached")
    #expect(receipt.conflicts.first?.reason != nil)
    let poisoned = DocumentTransaction(writes: [.init(plan, base: nil, changes: [[1, 2, 3]])])
    #expect(try honest.transact(poisoned).conflicts.first?.code == "InvalidChange")
    try expectHonestGoesOn()
  }

  @Test func damagedRequestsHarmNobody() throws {
    var random = SeededRandom(for: "damagedRequestsHarmNobody")
    let base = try honest.branch(plan).heads
    let samples: [(SluiceWire.Operation, [UInt8])] = [
      (
        .documentsTransact,
        DocumentTransaction(
          clientTransactionID: "x", client: "me", reads: [.init(plan, heads: base)],
          writes: [.init(plan, base: base, changes: [[1, 2]])]
        ).encoded
      ),
      (.documentsRead, ReadCall(plan, .heads(base), .json, paths: [["a"], ["b", "c"]]).encoded),
      (.documentsValue, ValueCall(plan, .time("2026-01-01T00:00:00Z"), ["a"]).encoded),
      (.documentsCreateBranch, CreateBranchCall(plan, from: .init("main", .epoch(1))).encoded),
      (.documentsMerge, MergeCall("draft", into: plan, closesSource: true).encoded),
      (.documentsLog, HistoryCall(plan, 5, countMax: 3).encoded),
    ]
    var (ended, answered) = (0, 0)
    for _ in 0..<160 {
      var (operation, bytes) = samples.randomElement(using: &random)!
      for _ in 0...Int.random(in: 0...2, using: &random) {
        switch Int.random(in: 0...3, using: &random) {
        case 0: bytes.append(UInt8.random(in: 0...255, using: &random))
        case 1: _ = bytes.popLast()
        default:
          if let index = bytes.indices.randomElement(using: &random) {
            bytes[index] ^= 1 << UInt8.random(in: 0...7, using: &random)
          }
        }
      }
      let raw = try RawDocuments(engine)
      do {
        _ = try raw.call(operation, bytes)
        answered += 1
      } catch {
        ended += 1
      }
      raw.session.end()
    }
    #expect(ended > 20 && answered > 20)
    try expectHonestGoesOn()
  }
}
