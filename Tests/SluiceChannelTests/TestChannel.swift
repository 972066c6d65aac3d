// A channel with both ends in this process, and a third view of its memory. Through this view a
// test acts as a hostile peer on either side.

import CSluice
import Foundation
import SluiceChannel
import SluiceSystem
import SluiceWire

/// No test waits longer than this. It is a watchdog, not a claim about speed.
let watchdogNanoseconds: Int64 = 30_000_000_000

extension ChannelShape {
  /// Few slots, so that a test often goes round the ring, and the smallest allowed payload ring.
  static func small(
    slotCount: Int = 4, argumentAreaByteCount: Int = 1152, byteOrder: ByteOrder = .littleEndian
  ) -> ChannelShape {
    ChannelShape(
      slotCount: slotCount, argumentAreaByteCount: argumentAreaByteCount,
      payloadByteCount: 131_072, byteOrder: byteOrder)
  }
}

/// The descriptors of a channel's regions. Either end can be made from them.
final class TestChannel: Sendable {
  let shape: ChannelShape
  let control: SharedDescriptor
  let io: SharedDescriptor
  let view: RegionView

  init(_ shape: ChannelShape = .small()) throws {
    let made = try Self.create(shape)
    self.shape = shape
    control = SharedDescriptor(FileDescriptor(owning: made.control))
    io = SharedDescriptor(FileDescriptor(owning: made.io))
    view = try RegionView(shape, control: control.descriptor, io: io.descriptor)
  }

  /// Makes regions as a proxy does, and keeps the descriptors that a proxy would pass to its
  /// client.
  private static func create(_ shape: ChannelShape) throws -> (control: Int32, io: Int32) {
    var passed: (control: Int32, io: Int32) = (-1, -1)
    _ = try ChannelRegions.create(shape) { (control, io) throws(Errno) in
      passed = (dup(control), dup(io))
    }
    return passed
  }

  func attach() throws -> ChannelRegions {
    guard let regions = try ChannelRegions.attach(control: control.descriptor, io: io.descriptor)
    else { throw NotAttached() }
    return regions
  }

  func proxyEnd() throws -> ProxyEnd { ProxyEnd(try attach()) }
}

struct NotAttached: Error {}

/// The raw memory of a channel, with plain loads and stores. The test ensures that the ends are at
/// rest, or that they must tolerate the change.
@safe
final class RegionView: Sendable {
  private let shape: ChannelShape
  private let control: Mapping
  private let io: Mapping

  init(
    _ shape: ChannelShape, control: borrowing FileDescriptor, io: borrowing FileDescriptor
  ) throws {
    self.shape = shape
    self.control = try Mapping(control, byteCount: shape.controlByteCount)
    self.io = try Mapping(io, byteCount: shape.ioByteCount)
  }

  private var header: UnsafeMutablePointer<sluice_control> {
    unsafe control.start.assumingMemoryBound(to: sluice_control.self)
  }

  var facts: sluice_facts {
    get { unsafe header.pointee.facts }
    set { unsafe header.pointee.facts = newValue }
  }

  /// The last request that was handed over, answered or not. Correct for the first two thousand
  /// million requests.
  var submitted: UInt32 { sequences.map { min($0, ~$0) }.max()! }

  /// The last request that was answered.
  var completed: UInt32 { sequences.map { $0 > ~$0 ? ~$0 : 0 }.max()! }

  private var sequences: [UInt32] {
    (0..<shape.slotCount).map { unsafe slots[$0].sequence }
  }

  var clientSleeps: UInt32 { unsafe header.pointee.client.sleeps }
  var proxySleeps: UInt32 { unsafe header.pointee.proxy.sleeps }

  /// The slot of a request.
  subscript(request number: UInt32) -> sluice_slot {
    get { unsafe slots[index(number)] }
    set { unsafe slots[index(number)] = newValue }
  }

  func index(_ number: UInt32) -> Int { Int(number) % shape.slotCount }

  private var slots: UnsafeMutablePointer<sluice_slot> {
    unsafe (control.start + MemoryLayout<sluice_control>.size)
      .assumingMemoryBound(to: sluice_slot.self)
  }

  func argumentArea(_ index: Int) -> [UInt8] {
    unsafe Array(
      UnsafeRawBufferPointer(
        start: io.start + index * shape.argumentAreaByteCount, count: shape.argumentAreaByteCount))
  }

  func setArgumentArea(_ index: Int, _ bytes: [UInt8]) {
    precondition(bytes.count <= shape.argumentAreaByteCount, "the area's own size")
    unsafe (io.start + index * shape.argumentAreaByteCount).copyMemory(
      from: bytes, byteCount: bytes.count)
  }

  func payload(_ range: Range<Int>) -> [UInt8] {
    unsafe Array(
      UnsafeRawBufferPointer(
        start: io.start + shape.payloadOffset + range.lowerBound, count: range.count))
  }

  func setPayload(at offset: Int, _ bytes: [UInt8]) {
    precondition(offset + bytes.count <= shape.payloadByteCount, "the ring's own size")
    unsafe (io.start + shape.payloadOffset + offset).copyMemory(
      from: bytes, byteCount: bytes.count)
  }
}

extension sluice_slot {
  /// A request as an honest client posts it.
  init(_ operation: SluiceWire.Operation, number: UInt32 = 1) {
    self.init()
    self.operation = operation.rawValue
    sequence = number
  }

  /// Puts `bytes` into the slot's own argument bytes and sets their count.
  mutating func setInlineArguments(_ bytes: [UInt8]) {
    argument_byte_count = UInt32(bytes.count)
    unsafe withUnsafeMutableBytes(of: &arguments) { unsafe $0.copyBytes(from: bytes) }
  }

  var inlineArguments: [UInt8] { unsafe withUnsafeBytes(of: arguments) { unsafe Array($0) } }
}

/// The client's end, with arrays as buffers and a watchdog on every call.
final class TestClient {
  private var end: ClientEnd
  var timeoutNanoseconds = watchdogNanoseconds
  var peerIsGone: () -> Bool = { false }

  init(_ channel: TestChannel, tellsAtOnce: Bool = true) throws {
    end = ClientEnd(try channel.attach(), tellsAtOnce: tellsAtOnce)
  }

  func call<Request: Message, Reply: Message>(
    _ operation: SluiceWire.Operation, file: UInt64 = 0, _ request: Request = NoFields(),
    sending: [UInt8] = [], wanting wantedByteCount: Int = 0,
    replyingWith: Reply.Type = NoFields.self
  ) throws(ChannelFailure) -> (answer: Answer<Reply>, received: [UInt8]) {
    let room = UnsafeMutableRawBufferPointer.allocate(
      byteCount: max(wantedByteCount, sending.count), alignment: 1)
    defer { unsafe room.deallocate() }
    unsafe room.copyBytes(from: sending)
    let answer = try unsafe end.call(
      operation, file: file, request,
      sending: UnsafeRawBufferPointer(rebasing: room[..<sending.count]),
      receiving: UnsafeMutableRawBufferPointer(rebasing: room[..<wantedByteCount]),
      timeoutNanoseconds: timeoutNanoseconds, peerIsGone: peerIsGone, replyingWith: Reply.self)
    return (answer, unsafe Array(room[..<answer.receivedByteCount]))
  }

  /// Posts a change of a file.
  func post(
    _ bytes: [UInt8] = [], file: UInt64 = 1, at offset: Int64 = 0, handsOver: Bool = true
  ) throws(ChannelFailure) {
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    defer { unsafe room.deallocate() }
    unsafe room.copyBytes(from: bytes)
    try unsafe end.post(
      UnsafeRawBufferPointer(room), file: file, at: offset, handsOver: handsOver,
      timeoutNanoseconds: timeoutNanoseconds, peerIsGone: peerIsGone)
  }

  /// Changes file 1 and waits for the answer.
  func write(_ bytes: [UInt8], at offset: Int64) throws(ChannelFailure) -> Answer<NoFields> {
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    defer { unsafe room.deallocate() }
    unsafe room.copyBytes(from: bytes)
    return try unsafe end.write(
      UnsafeRawBufferPointer(room), file: 1, at: offset, timeoutNanoseconds: timeoutNanoseconds,
      peerIsGone: peerIsGone)
  }

  /// Posts the end of a file.
  func postEnd() throws(ChannelFailure) {
    try end.postEnd(
      .close, file: 1, NoFields(), timeoutNanoseconds: timeoutNanoseconds, peerIsGone: peerIsGone)
  }

  /// Waits for the changes, and returns the failure of one of them.
  @discardableResult
  func settle() throws(ChannelFailure) -> PostedFailure? {
    try end.settle(timeoutNanoseconds: timeoutNanoseconds, peerIsGone: peerIsGone)
    return end.failureOfChange
  }

  /// The failure of a call, or nil.
  func failure<Request: Message, Reply: Message>(
    of operation: SluiceWire.Operation, _ request: Request = NoFields(), wanting: Int = 0,
    replyingWith: Reply.Type = NoFields.self
  ) -> ChannelFailure? {
    do throws(ChannelFailure) {
      _ = try call(operation, request, wanting: wanting, replyingWith: Reply.self)
      return nil
    } catch {
      return error
    }
  }
}
