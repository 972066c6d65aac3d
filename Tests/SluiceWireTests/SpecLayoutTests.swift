// Protocol/SPEC.md against the C structs of shared memory and handshake: every field's offset, size
// and type, and no gaps.

import CSluice
import SluiceWire
import TestSupport
import Testing

/// A field of a C struct as Swift sees it.
private struct Field: Equatable {
  var name: String
  var offset: Int
  var byteCount: Int
  var type: String

  /// `type` is needed only if C has an array or a struct.
  init<S, V>(_ name: String, _ path: KeyPath<S, V>, _ type: String? = nil) {
    self.name = name
    offset = MemoryLayout<S>.offset(of: path)!
    byteCount = MemoryLayout<V>.size
    let swiftName = "\(V.self)"
    self.type =
      type ?? swiftName.replacing("UInt", with: "u").replacing("Int", with: "i")
  }
}

@Suite struct SpecLayoutTests {
  private let spec: SpecDocument

  init() throws { spec = try SpecDocument() }

  private func expect(
    _ heading: String, byteCount: Int, equals fields: [Field],
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let rows = try spec.rows(under: heading)
    #expect(rows.map { $0["field"] } == fields.map(\.name), sourceLocation: sourceLocation)
    var end = 0
    for (row, field) in zip(rows, fields) {
      let name = Comment("\(heading): \(field.name)")
      #expect(number(row["offset"]) == UInt64(field.offset), name, sourceLocation: sourceLocation)
      #expect(number(row["size"]) == UInt64(field.byteCount), name, sourceLocation: sourceLocation)
      #expect(row["type"] == field.type, name, sourceLocation: sourceLocation)
      #expect(field.offset == end, name, sourceLocation: sourceLocation)
      end = field.offset + field.byteCount
    }
    #expect(end == byteCount, "\(heading) is described to its end", sourceLocation: sourceLocation)
  }

  @Test func theSlotIsThatOfTheCode() throws {
    try expect(
      "Slot", byteCount: MemoryLayout<sluice_slot>.size,
      equals: [
        Field("operation", \sluice_slot.operation), Field("flags", \sluice_slot.flags),
        Field("sequence", \sluice_slot.sequence), Field("file", \sluice_slot.file),
        Field("payload_offset", \sluice_slot.payload_offset),
        Field("payload_byte_count", \sluice_slot.payload_byte_count),
        Field("argument_byte_count", \sluice_slot.argument_byte_count),
        Field("return_code", \sluice_slot.return_code),
        Field("error_number", \sluice_slot.error_number),
        Field("arguments", \sluice_slot.arguments, "u8[\(SLUICE_INLINE_ARGUMENT_BYTE_COUNT)]"),
      ])
  }

  @Test func theFactsAreThoseOfTheCode() throws {
    try expect(
      "Facts", byteCount: MemoryLayout<sluice_facts>.size,
      equals: [
        Field("magic", \sluice_facts.magic), Field("version", \sluice_facts.version),
        Field("byte_order", \sluice_facts.byte_order),
        Field("control_byte_count", \sluice_facts.control_byte_count),
        Field("io_byte_count", \sluice_facts.io_byte_count),
        Field("slot_count", \sluice_facts.slot_count),
        Field("slot_byte_count", \sluice_facts.slot_byte_count),
        Field("slots_offset", \sluice_facts.slots_offset),
        Field("argument_area_byte_count", \sluice_facts.argument_area_byte_count),
        Field("payload_offset", \sluice_facts.payload_offset),
        Field("payload_byte_count", \sluice_facts.payload_byte_count),
        Field("reserved", \sluice_facts.reserved, "u8[80]"),
      ])
  }

  @Test func theWordsAreThoseOfTheCode() throws {
    try expect(
      "Client line", byteCount: MemoryLayout<sluice_client_line>.size,
      equals: [
        Field("sleeps", \sluice_client_line.sleeps),
        Field("awaits", \sluice_client_line.awaits),
        Field("cancels", \sluice_client_line.cancels),
        Field("reserved", \sluice_client_line.reserved, "u8[116]"),
      ])
    try expect(
      "Proxy line", byteCount: MemoryLayout<sluice_proxy_line>.size,
      equals: [
        Field("sleeps", \sluice_proxy_line.sleeps),
        Field("pulse", \sluice_proxy_line.pulse),
        Field("reserved", \sluice_proxy_line.reserved, "u8[120]"),
      ])
    try expect(
      "Standing line", byteCount: MemoryLayout<sluice_standing_line>.size,
      equals: [
        Field("locks", \sluice_standing_line.locks),
        Field("reserved", \sluice_standing_line.reserved, "u8[120]"),
      ])
  }

  @Test func theLifeIsThatOfTheCode() throws {
    try expect(
      "Life", byteCount: MemoryLayout<sluice_life>.size,
      equals: [
        Field("magic", \sluice_life.magic), Field("thread", \sluice_life.thread),
        Field("reserved", \sluice_life.reserved, "u8[4084]"),
      ])
    #expect(SLUICE_LIFE_OVER == 1 << 30)
  }

  @Test func theHandshakeIsThatOfTheCode() throws {
    try expect(
      "Message head", byteCount: MemoryLayout<sluice_message_head>.size,
      equals: [
        Field("magic", \sluice_message_head.magic), Field("version", \sluice_message_head.version),
        Field("kind", \sluice_message_head.kind), Field("status", \sluice_message_head.status),
      ])
    try expect(
      "Hello", byteCount: MemoryLayout<sluice_hello>.size,
      equals: [
        Field("head", \sluice_hello.head, "head"),
        Field("reserved", \sluice_hello.reserved, "u64[2]"),
      ])
    try expect(
      "Welcome", byteCount: MemoryLayout<sluice_welcome>.size,
      equals: [
        Field("head", \sluice_welcome.head, "head"), Field("session", \sluice_welcome.session),
        Field("channel", \sluice_welcome.channel), Field("features", \sluice_welcome.features),
      ])
    try expect(
      "Channel message", byteCount: MemoryLayout<sluice_channel_message>.size,
      equals: [
        Field("head", \sluice_channel_message.head, "head"),
        Field("reserved", \sluice_channel_message.reserved),
        Field("channel", \sluice_channel_message.channel),
        Field("reserved_tail", \sluice_channel_message.reserved_tail),
      ])
    try expect(
      "Descriptor message", byteCount: MemoryLayout<sluice_descriptor_message>.size,
      equals: [
        Field("head", \sluice_descriptor_message.head, "head"),
        Field("file", \sluice_descriptor_message.file),
        Field("purpose", \sluice_descriptor_message.purpose),
        Field("reserved", \sluice_descriptor_message.reserved),
      ])
    try expect(
      "Refusal", byteCount: MemoryLayout<sluice_refusal>.size,
      equals: [
        Field("head", \sluice_refusal.head, "head"),
        Field("text", \sluice_refusal.text, "u8[\(SLUICE_REFUSAL_TEXT_BYTE_COUNT)]"),
      ])
  }

  @Test func theMetricsRegionIsThatOfTheCode() throws {
    let cellCount = SLUICE_METRICS_ROW_COUNT * SLUICE_METRICS_OPERATION_COUNT
    try expect(
      "Metrics region", byteCount: MemoryLayout<sluice_metrics>.size,
      equals: [
        Field("magic", \sluice_metrics.magic), Field("version", \sluice_metrics.version),
        Field("process", \sluice_metrics.process), Field("started_ms", \sluice_metrics.started_ms),
        Field("sessions_opened", \sluice_metrics.sessions_opened),
        Field("sessions_closed", \sluice_metrics.sessions_closed),
        Field("sessions_refused", \sluice_metrics.sessions_refused),
        Field("leases_taken", \sluice_metrics.leases_taken),
        Field("leases_broken", \sluice_metrics.leases_broken),
        Field("syncs_promised", \sluice_metrics.syncs_promised),
        Field("syncs_shared", \sluice_metrics.syncs_shared),
        Field("service", \sluice_metrics.service),
        Field("reserved", \sluice_metrics.reserved, "u8[40]"),
        Field("socket_path", \sluice_metrics.socket_path, "u8[\(SLUICE_METRICS_PATH_BYTE_COUNT)]"),
        Field("root_path", \sluice_metrics.root_path, "u8[\(SLUICE_METRICS_PATH_BYTE_COUNT)]"),
        Field("operations", \sluice_metrics.operations, "u64[\(cellCount)]"),
      ])
  }

  @Test func theMessageKindsAreThoseOfTheCode() throws {
    let kinds = [
      SLUICE_MESSAGE_HELLO, SLUICE_MESSAGE_WELCOME, SLUICE_MESSAGE_REFUSAL, SLUICE_MESSAGE_CHANNEL,
      SLUICE_MESSAGE_DESCRIPTOR,
    ]
    let names = ["HELLO", "WELCOME", "REFUSAL", "CHANNEL", "DESCRIPTOR"]
    let rows = try spec.rows(under: "Message kinds")
    #expect(rows.map { number($0["kind"]) } == kinds.map { UInt64($0.rawValue) })
    #expect(rows.map { $0["message"] } == names)
    // The tables of the messages name their kind too.
    let headings = ["Hello", "Welcome", "Refusal", "Channel message", "Descriptor message"]
    for (heading, kind) in zip(headings, kinds) {
      let head = try #require(try spec.rows(under: heading).first)
      #expect(head["meaning"]!.hasPrefix("kind \(kind.rawValue)"))
    }
  }

  @Test func theMapShowsTheRegionsAsTheyAre() throws {
    #expect(MemoryLayout<sluice_control>.size == 512)
    #expect(MemoryLayout<sluice_control>.offset(of: \.client) == 128)
    #expect(MemoryLayout<sluice_control>.offset(of: \.proxy) == 256)
    #expect(MemoryLayout<sluice_control>.offset(of: \.standing) == 384)
    #expect(MemoryLayout<sluice_slot>.size == 64)
    #expect(
      unsafe withUnsafeBytes(of: sluice_magic.littleEndian) { unsafe Array($0) }
        == Array("SLUICE01".utf8))
  }
}
