// A read window with any content, and a client that reads it. The client must read nothing outside
// of the window, and must return what is there.

import CSluice
import SluiceSystem

@testable import SluiceChannel

struct WindowTarget: FuzzTarget {
  static let name = "window"

  /// Owned, with two of four granules valid.
  static func seeds(from vectors: SeedVectors) -> [[UInt8]] {
    [[3, 0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 64, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0]]
  }

  private static let granuleCount = 4
  private let descriptor: SharedDescriptor
  private let mapping: SharedMapping
  private let window: WindowRegion

  init() throws {
    let byteCount = WindowRegion.byteCount(granuleCount: Self.granuleCount)
    let descriptor = try FileDescriptor.sealedMemory("fuzz-window", byteCount: byteCount)
    mapping = SharedMapping(try Mapping(descriptor, byteCount: byteCount))
    var header = sluice_window()
    header.magic = sluiceMagic
    header.granule_count = UInt32(Self.granuleCount)
    unsafe mapping.start.storeBytes(of: header, as: sluice_window.self)
    for granule in 0..<Self.granuleCount {
      let start = byteCount - 4096 * (1 + Self.granuleCount - granule)
      unsafe (mapping.start + start).initializeMemory(
        as: UInt8.self, repeating: UInt8(granule + 1), count: 4096)
    }
    self.descriptor = SharedDescriptor(descriptor)
    guard let window = try WindowRegion.attach(self.descriptor.descriptor) else {
      broken("a well-formed window is refused")
    }
    self.window = window
  }

  func run(_ input: [UInt8]) {
    var input = FuzzInput(input)
    let valid = input.byte()
    for granule in 0..<Self.granuleCount {
      // Any byte but 1 means no.
      let byte = valid >> UInt8(granule) & 1 == 1 ? 1 : input.byte() & 0xfe
      unsafe mapping.start.storeBytes(of: byte, toByteOffset: 4096 + granule, as: UInt8.self)
    }
    let isOwned = setHeader(&input)
    let fileByteCount = window.currentFileByteCount
    require(window.isOwned == isOwned, "ownership")
    require(window.knownByteCount == (isOwned ? fileByteCount : nil), "the size")
    require(isOwned || window.knownAbsentFiles.isEmpty, "what is absent")
    for _ in 0..<32 where !input.isEmpty {
      let offset =
        input.flag() ? Int64(input.number(UInt16.self)) : Int64(bitPattern: input.number())
      let byteCount = Int(input.number(UInt16.self)) % 20_000
      read(byteCount, at: offset, valid, isOwned, fileByteCount)
    }
  }

  /// Overwrites only the parts of the header that change in a window's life; `attach` checks the
  /// rest.
  private func setHeader(_ input: inout FuzzInput) -> Bool {
    var header = unsafe mapping.start.load(as: sluice_window.self)
    header.ownership = input.number()
    header.byte_count = Int64(bitPattern: input.number())
    header.absent = input.number()
    unsafe mapping.start.storeBytes(of: header, as: sluice_window.self)
    return header.ownership & 1 == 1
  }

  private func read(
    _ byteCount: Int, at offset: Int64, _ valid: UInt8, _ isOwned: Bool, _ fileByteCount: Int64
  ) {
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 1)
    defer { unsafe room.deallocate() }
    let copied = unsafe window.copy(into: room, at: offset)
    let end = offset.addingReportingOverflow(Int64(byteCount))
    let limit = min(fileByteCount, Int64(4096 * Self.granuleCount))
    let isThere =
      isOwned && offset >= 0 && byteCount > 0 && !end.overflow && end.partialValue <= limit
      && (offset / 4096...(end.partialValue - 1) / 4096)
        .allSatisfy { valid >> UInt8($0) & 1 == 1 }
    require(copied == isThere, "\(byteCount) bytes at \(offset) are there: \(isThere)")
    guard copied else { return }
    for index in room.indices {
      let granule = (Int(offset) + index) / 4096
      require(unsafe room[index] == UInt8(granule + 1), "the content of granule \(granule)")
    }
  }
}
