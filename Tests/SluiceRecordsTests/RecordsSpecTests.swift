// Protocol/RECORDS.md against the code, so that its tables cannot drift.

import SluiceWire
import TestSupport
import Testing

@testable import SluiceEngine
@testable import SluiceRecords

@Suite struct RecordsSpecTests {
  private let spec: SpecDocument

  init() throws { spec = try SpecDocument("Protocol/RECORDS.md") }

  private func expect<T: CaseIterable & RawRepresentable>(
    _ heading: String, are type: T.Type, sourceLocation: SourceLocation = #_sourceLocation
  ) throws where T.RawValue: BinaryInteger {
    try expect(
      heading, T.allCases.map { ("\($0)", UInt64($0.rawValue)) }, sourceLocation: sourceLocation)
  }

  private func expect(
    _ heading: String, _ values: [(name: String, value: UInt64)],
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let rows = try spec.rows(under: heading)
    #expect(rows.map { $0["name"] } == values.map(\.name), sourceLocation: sourceLocation)
    #expect(
      rows.map { number($0["value"]) } == values.map(\.value), sourceLocation: sourceLocation)
  }

  @Test func theNumbersAreThoseOfTheCode() throws {
    try expect("Durability", are: RecordDurability.self)
    try expect("Store outcomes", are: RecordStoreOutcome.self)
    try expect("Frame kinds", are: RecordFrameKind.self)
    try expect("Erasure actions", are: RecordsErasureAction.self)
    try expect("Lock actions", are: RecordsLockAction.self)
    try expect("Lock outcomes", are: RecordsLockOutcome.self)
    try expect("Import actions", are: RecordsImportAction.self)
    try expect(
      "Message flags",
      [
        ("hasHeader", UInt64(RecordMessageFlags.hasHeader.rawValue)),
        ("hasExpectation", UInt64(RecordMessageFlags.hasExpectation.rawValue)),
        ("deleteIsValid", UInt64(RecordMessageFlags.deleteIsValid.rawValue)),
      ])
    let more = try #require(RecordStreamPage(RecordAnswer(status: .done, payload: [1, 0, 0, 0])))
    #expect(more.hasMore)
    try expect("Page flags", [("more", 1)])
  }

  @Test func theLimitsAreThoseOfTheCode() throws {
    let limits: [(String, Int)] = [
      ("requestByteCountMaximum", RecordBatch.byteCountMaximum),
      ("stagedByteCountMaximum", RecordBatch.stagedByteCountMaximum),
      ("sessionCountMaximum", RecordBatch.sessionCountMaximum),
      ("frameByteCountMaximum", RecordFrames.frameByteCountMaximum),
      ("loadCountMaximum", StorageThread.loadCountMaximum),
    ]
    let rows = try spec.rows(under: "Record limits")
    #expect(rows.map { $0["limit"] } == limits.map(\.0))
    #expect(rows.map { number($0["value"]) } == limits.map { UInt64($0.1) })
    #expect(RecordBatch.stagedByteCountMaximum == Limits.valueByteCountMaximum)
  }

  @Test func thePartitionsAreThoseOfTheCode() throws {
    #expect(
      try spec.rows(under: "Partitions").map { $0["table"] } == Partition.allCases.map(\.name))
  }

  /// The fields as the tables say, byte by byte.
  @Test func aMessageIsWrittenAsTheTablesSay() throws {
    #expect(
      try spec.rows(under: "Message").map { $0["field"] }
        == ["flags", "id", "header", "priority", "sessionCount"])
    #expect(
      try spec.rows(under: "Session").map { $0["field"] }
        == ["session", "after", "lastSignature", "transactionCount"])
    var transactions = RecordTransactions()
    transactions.append([7, 8])
    var message = RecordMessage(id: [1], header: [2, 3])
    message.priority = 6
    message.sessions = [
      RecordSessionContent(session: [4], after: 5, transactions: transactions, lastSignature: [6])
    ]
    message.expectContentUntil = [RecordCounter(session: [9], count: 10)]
    var writer = RecordByteWriter()
    message.write(to: &writer, deleteIsValid: true)
    let expected: [UInt8] =
      [7, 0, 0, 0] + [1, 0, 0, 0, 1] + [2, 0, 0, 0, 2, 3] + [6] + [1, 0, 0, 0]
      + [1, 0, 0, 0, 4] + [5, 0, 0, 0, 0, 0, 0, 0] + [1, 0, 0, 0, 6] + [1, 0, 0, 0]
      + [2, 0, 0, 0, 7, 8] + [1, 0, 0, 0] + [1, 0, 0, 0, 9] + [10, 0, 0, 0, 0, 0, 0, 0]
    #expect(writer.bytes == expected)
    #expect(writer.bytes.count == message.byteCount)
  }

  @Test func aFrameIsReadAsTheTableSays() throws {
    let rows = try spec.rows(under: "Frame")
    #expect(rows.map { $0["field"] } == ["load", "kind", "byteCount"])
    #expect(rows.map { $0["type"] } == ["u32", "u8", "u32"])
    var loads = RecordLoads()
    let load = loads.begin()
    let page = try #require(
      RecordStreamPage(
        RecordAnswer(
          status: .done, payload: [0, 0, 0, 0, UInt8(load), 0, 0, 0, 3, 2, 0, 0, 0, 104, 105])))
    try loads.take(page)
    #expect(loads.popEvent()?.event == .failed([104, 105]))
    #expect(loads.isEmpty)
  }
}
