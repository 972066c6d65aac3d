// The sizes of a channel's parts. The proxy chooses them and writes them into the control region,
// as its facts. The client checks every number before it uses any.

internal import CSluice
internal import SluiceSystem
public import SluiceWire

/// The sizes of a channel's regions, in bytes unless stated otherwise.
public struct ChannelShape: Equatable, Sendable {
  public var slotCount: Int
  public var argumentAreaByteCount: Int
  public var payloadByteCount: Int
  public var byteOrder: ByteOrder

  /// A path of 1,024 bytes fits the argument area. The payload ring holds four of SQLite's largest
  /// pages, so that a write can be posted while the one before it is under way.
  public static let standard = ChannelShape(
    slotCount: 32, argumentAreaByteCount: 1152, payloadByteCount: 256 * 1024,
    byteOrder: .littleEndian)

  /// For a process whose files may not be that large (RLIMIT_FSIZE), because the regions count as
  /// files. The ring holds two of the largest pages.
  public static let compact = ChannelShape(
    slotCount: 8, argumentAreaByteCount: 1152, payloadByteCount: 128 * 1024,
    byteOrder: .littleEndian)

  /// The largest of these shapes that fits a file of `limit` bytes; the compact shape if none fits.
  public static func fitting(fileByteCountMaximum limit: Int64) -> ChannelShape {
    limit < Int64(standard.ioByteCount) ? compact : standard
  }

  /// The largest shape that this process may make, because its limit of a file's size
  /// (RLIMIT_FSIZE) applies to shared memory too.
  public static func fittingThisProcess() -> ChannelShape {
    fitting(fileByteCountMaximum: fileSizeLimit())
  }

  /// The most bytes that one request may carry or ask for: SQLite's largest page.
  public static let transferByteCountMaximum = 64 * 1024

  public static let pathByteCountMaximum = 1024

  public var controlByteCount: Int {
    pageRounded(MemoryLayout<sluice_control>.size + slotCount * MemoryLayout<sluice_slot>.size)
  }

  public var payloadOffset: Int { pageRounded(slotCount * argumentAreaByteCount) }

  public var ioByteCount: Int { payloadOffset + payloadByteCount }

  private func pageRounded(_ byteCount: Int) -> Int { (byteCount + 4095) / 4096 * 4096 }

  var facts: sluice_facts {
    var facts = sluice_facts()
    facts.magic = sluiceMagic
    facts.version = protocolVersion
    facts.byte_order = UInt32(
      byteOrder == .littleEndian ? SLUICE_LITTLE_ENDIAN_ARGUMENTS : SLUICE_BIG_ENDIAN_ARGUMENTS)
    facts.control_byte_count = UInt32(controlByteCount)
    facts.io_byte_count = UInt32(ioByteCount)
    facts.slot_count = UInt32(slotCount)
    facts.slot_byte_count = UInt32(MemoryLayout<sluice_slot>.size)
    facts.slots_offset = UInt32(MemoryLayout<sluice_control>.size)
    facts.argument_area_byte_count = UInt32(argumentAreaByteCount)
    facts.payload_offset = UInt32(payloadOffset)
    facts.payload_byte_count = UInt32(payloadByteCount)
    return facts
  }

  /// The shape that `facts` describe, or nil if they contradict themselves or this protocol.
  init?(_ facts: sluice_facts) {
    guard facts.magic == sluiceMagic, facts.version == protocolVersion else { return nil }
    switch facts.byte_order {
    case UInt32(SLUICE_LITTLE_ENDIAN_ARGUMENTS): byteOrder = .littleEndian
    case UInt32(SLUICE_BIG_ENDIAN_ARGUMENTS): byteOrder = .bigEndian
    default: return nil
    }
    guard (2...4096).contains(facts.slot_count), facts.slot_count & (facts.slot_count - 1) == 0,
      (64...65536).contains(facts.argument_area_byte_count),
      (131_072...1 << 30).contains(facts.payload_byte_count)
    else { return nil }
    slotCount = Int(facts.slot_count)
    argumentAreaByteCount = Int(facts.argument_area_byte_count)
    payloadByteCount = Int(facts.payload_byte_count)
    let expected = self.facts
    guard facts.control_byte_count == expected.control_byte_count,
      facts.io_byte_count == expected.io_byte_count,
      facts.slot_byte_count == expected.slot_byte_count,
      facts.slots_offset == expected.slots_offset, facts.payload_offset == expected.payload_offset
    else { return nil }
  }

  public init(
    slotCount: Int, argumentAreaByteCount: Int, payloadByteCount: Int, byteOrder: ByteOrder
  ) {
    self.slotCount = slotCount
    self.argumentAreaByteCount = argumentAreaByteCount
    self.payloadByteCount = payloadByteCount
    self.byteOrder = byteOrder
  }
}

public let sluiceMagic: UInt64 = sluice_magic
public let protocolVersion = UInt32(SLUICE_PROTOCOL_VERSION)
