// The client uses regions only after it has checked every number, and maps them only if their owner
// cannot shrink them during use.

import CSluice
import Foundation
import SluiceChannel
import SluiceSystem
import SluiceWire
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct AttachTests {
  private let channel: TestChannel
  private let shape: ChannelShape

  init() throws {
    shape = .small()
    channel = try TestChannel(shape)
  }

  private func isAttached() throws -> Bool { try attachedShape() != nil }

  private func attachedShape() throws -> ChannelShape? {
    try attachedShape(channel.control.descriptor, channel.io.descriptor)
  }

  private func isAttached(
    _ control: borrowing FileDescriptor, _ io: borrowing FileDescriptor
  ) throws -> Bool {
    try attachedShape(control, io) != nil
  }

  private func attachedShape(
    _ control: borrowing FileDescriptor, _ io: borrowing FileDescriptor
  ) throws -> ChannelShape? {
    guard let regions = try ChannelRegions.attach(control: control, io: io) else { return nil }
    return regions.shape
  }

  /// A copy of the control region's facts in memory of another kind or size.
  private func copyFacts(to descriptor: borrowing FileDescriptor, byteCount: Int) throws {
    let mapping = try Mapping(descriptor, byteCount: byteCount)
    unsafe mapping.start.storeBytes(of: channel.view.facts, as: sluice_facts.self)
  }

  private func unsealed(byteCount: Int) throws -> FileDescriptor {
    let name = "/sluice-test-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
    defer { _ = unsafe name.withCString { unsafe try? unlinkSharedMemoryObject($0) } }
    let characters = name.utf8CString
    let raw = try unsafe characters.withUnsafeBufferPointer { (name) throws(Errno) in
      try unsafe FileDescriptor.createSharedMemoryObject(name.baseAddress!, byteCount: byteCount)
        .release()
    }
    return FileDescriptor(owning: raw)
  }

  @Test func soundRegionsAreAttachedWithTheirShape() throws {
    for order in [ByteOrder.littleEndian, .bigEndian] {
      for slotCount in [2, 4, 64, 4096] {
        let shape = ChannelShape.small(slotCount: slotCount, byteOrder: order)
        let regions = try TestChannel(shape).attach()
        #expect(regions.shape == shape)
      }
    }
    let regions = try TestChannel(.standard).attach()
    #expect(regions.shape == .standard)
  }

  @Test func aControlRegionWithoutSealsIsRefused() throws {
    let control = try unsealed(byteCount: shape.controlByteCount)
    try copyFacts(to: control, byteCount: shape.controlByteCount)
    #expect(try !isAttached(control, channel.io.descriptor))
  }

  @Test func anIORegionWithoutSealsIsRefused() throws {
    let io = try unsealed(byteCount: shape.ioByteCount)
    #expect(try !isAttached(channel.control.descriptor, io))
  }

  @Test func aControlRegionOfAnotherSizeIsRefused() throws {
    for byteCount in [shape.controlByteCount + 4096, shape.controlByteCount + 1] {
      let control = try FileDescriptor.sealedMemory("test", byteCount: byteCount)
      try copyFacts(to: control, byteCount: byteCount)
      #expect(try !isAttached(control, channel.io.descriptor))
    }
    for byteCount in [0, 128, 4095] {
      let control = try FileDescriptor.sealedMemory("test", byteCount: byteCount)
      #expect(try !isAttached(control, channel.io.descriptor))
    }
  }

  @Test func anIORegionOfAnotherSizeIsRefused() throws {
    for byteCount in [0, 4096, shape.ioByteCount - 1, shape.ioByteCount + 1] {
      let io = try FileDescriptor.sealedMemory("test", byteCount: byteCount)
      #expect(try !isAttached(channel.control.descriptor, io))
    }
  }

  @Test func exchangedRegionsAreRefused() throws {
    #expect(try !isAttached(channel.io.descriptor, channel.control.descriptor))
  }

  @Test func whatIsNoMemoryAtAllIsRefused() throws {
    let pair = try SocketPair()
    #expect(try !isAttached(pair.ours, pair.theirs))
  }

  @Test func everyFactIsChecked() throws {
    let changes: [(String, (inout sluice_facts) -> Void)] = [
      ("magic", { $0.magic ^= 1 }),
      ("version 0", { $0.version = 0 }),
      ("version 2", { $0.version = 2 }),
      ("byte order 0", { $0.byte_order = 0 }),
      ("byte order 3", { $0.byte_order = 3 }),
      ("control size", { $0.control_byte_count += 4096 }),
      ("I/O size", { $0.io_byte_count -= 1 }),
      ("no slots", { $0.slot_count = 0 }),
      ("one slot", { $0.slot_count = 1 }),
      ("three slots", { $0.slot_count = 3 }),
      ("more slots than the region holds", { $0.slot_count = 4096 }),
      ("8192 slots", { $0.slot_count = 8192 }),
      ("most slots", { $0.slot_count = 1 << 31 }),
      ("slot size", { $0.slot_byte_count = 128 }),
      ("place of the slots", { $0.slots_offset += 64 }),
      ("argument area of 0 bytes", { $0.argument_area_byte_count = 0 }),
      ("argument area of 63 bytes", { $0.argument_area_byte_count = 63 }),
      ("argument area of 65537 bytes", { $0.argument_area_byte_count = 65_537 }),
      ("argument areas larger than said", { $0.argument_area_byte_count = 65_536 }),
      ("place of the payload ring", { $0.payload_offset -= 4096 }),
      ("payload ring smaller than two pages", { $0.payload_byte_count = 131_071 }),
      ("payload ring larger than the region", { $0.payload_byte_count += 4096 }),
      ("payload ring of 4 GiB", { $0.payload_byte_count = .max }),
    ]
    let sound = channel.view.facts
    for (name, change) in changes {
      var facts = sound
      change(&facts)
      channel.view.facts = facts
      #expect(try !isAttached(), "\(name)")
      channel.view.facts = sound
      #expect(try isAttached())
    }
  }

  @Test func randomFactsAreRefusedOrAttachedButNeverTrap() throws {
    var random = SeededRandom(for: "randomFactsAreRefusedOrAttachedButNeverTrap")
    let sound = channel.view.facts
    for _ in 0..<2_000 {
      var facts = sound
      unsafe withUnsafeMutableBytes(of: &facts) { bytes in
        let end = MemoryLayout<sluice_facts>.offset(of: \.reserved)!
        for _ in 0..<2 {
          unsafe bytes[Int.random(in: 0..<end, using: &random)] ^=
            1 << UInt8.random(in: 0...7, using: &random)
        }
      }
      channel.view.facts = facts
      // A few changes give another valid shape, if it fills the same memory.
      let shape = try attachedShape()
      #expect(shape == nil || shape?.controlByteCount == self.shape.controlByteCount)
      #expect(shape == nil || shape?.ioByteCount == self.shape.ioByteCount)
    }
  }
}
