// Any message, with any descriptors, for a reader that waits for a hello, a welcome, a new channel,
// a read window or a WAL index. A message that the reader accepts must be valid, down to the last
// byte of the memory that came with it.

import CSluice
import Glibc
import SluiceSystem
import SluiceWire

@testable import SluiceChannel
@testable import SluiceClient
@testable import SluiceServer

struct HandshakeTarget: FuzzTarget {
  static let name = "handshake"

  private let regions: RawRegions

  init() throws { regions = try RawRegions(RawRegions.smallShape) }

  /// Well-formed messages for each reader.
  static func seeds(from vectors: SeedVectors) -> [[UInt8]] {
    let magic = unsafe withUnsafeBytes(of: sluice_magic) { unsafe Array($0) }
    func head(_ kind: UInt8, _ status: UInt8 = 0) -> [UInt8] {
      magic + [1, 0, 0, 0, kind, 0, status, 0]
    }
    let tail = [UInt8](repeating: 0, count: 16)
    let descriptor: [UInt8] = [7] + [UInt8](repeating: 0, count: 7) + [2, 0, 0, 0, 0, 0, 0, 0]
    return [
      [0, 32] + head(1) + tail, [1, 32] + head(2) + tail + [1, 2, 0, 0, 0],
      [2, 32] + head(4) + tail + [1, 2, 0, 0, 0], [3, 32] + head(5) + descriptor + [3, 4, 0, 0],
      [4, 32] + head(5) + descriptor + [6, 0], [1, 16] + head(3, 40) + tail,
      [1, 32] + head(2) + tail + [5, 4, 16, 1, 0, 8],
    ]
  }

  func run(_ input: [UInt8]) {
    var input = FuzzInput(input)
    guard let pair = try? SocketPair() else { return }
    let ours = pair.ours
    let theirs = pair.theirs
    let who = input.choice(5)
    let message = input.sequence()
    let descriptors = Descriptors(&input, honest: regions)
    if who == 0 { try? ours.receiveCredentials() }
    send(message, descriptors, from: theirs, withCredentials: input.flag())
    // A peer without a message has left.
    if message.isEmpty { _ = consume theirs }
    switch who {
    case 0: checkHello(ours, message)
    case 1: checkWelcome(ours, message)
    case 2:
      if let line = try? receiveChannel(on: ours) {
        require(message.count == 32 && message[12] == 4, "a channel message of another form")
        _ = line.standingLocks.take(.all, alone: false)
      }
    case 3: checkWindow(ours, message)
    default: checkMapping(ours, message, inPlace: input.flag())
    }
  }

  private func checkMapping(
    _ socket: borrowing FileDescriptor, _ message: [UInt8], inPlace: Bool
  ) {
    let range = MappedRange(offset: 0, byteCount: 4096, isWritable: false)
    var present: SharedMapping?
    if inPlace, let memory = try? FileDescriptor.sealedMemory("sluice-fuzz", byteCount: 4096),
      let mapping = try? Mapping(memory, byteCount: 4096, inheritable: true)
    {
      present = SharedMapping(mapping)
    }
    do throws(ConnectError) {
      let received = try receiveMapping(
        on: socket, file: 7, purpose: .walIndex, range,
        of: FileNumber(device: 1, inode: 1), inPlaceOf: present)
      require(message.count == 32 && message[12] == 5, "a descriptor message of another form")
      require(present == nil || received == nil || received === present, "mapped elsewhere")
    } catch {
      // Refused, which is right too.
    }
  }

  private func send(
    _ message: [UInt8], _ descriptors: borrowing Descriptors, from socket: borrowing FileDescriptor,
    withCredentials: Bool
  ) {
    if message.isEmpty { return }
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: message.count, alignment: 1)
    defer { unsafe room.deallocate() }
    unsafe room.copyBytes(from: message)
    // A second descriptor comes only with a first one.
    let first = descriptors.first?.descriptor.rawValue ?? -1
    let second = first < 0 ? -1 : descriptors.second?.descriptor.rawValue ?? -1
    guard
      let _ = try? unsafe socket.send(
        UnsafeRawBufferPointer(room), passing: first, second, withCredentials: withCredentials)
    else { broken("a message cannot be sent: \(message)") }
  }

  // MARK: The readers

  /// A hello is 32 bytes with the magic, version and kind; no other message is accepted.
  private func checkHello(_ socket: borrowing FileDescriptor, _ message: [UInt8]) {
    let wanted = unsafe withUnsafeBytes(of: sluice_magic) { unsafe Array($0) } + [1, 0, 0, 0, 1, 0]
    let isHello = message.count == 32 && message.prefix(14).elementsEqual(wanted)
    do throws(Refusal) {
      let process = try receiveHello(on: socket)
      require(isHello == (process != nil), "\(message) is taken for a hello: \(isHello)")
    } catch {
      require(!isHello, "a hello is refused: \(error.text)")
      sendRefusal(error, on: socket)
    }
  }

  private func checkWelcome(_ socket: borrowing FileDescriptor, _ message: [UInt8]) {
    do throws(ConnectError) {
      let welcome = try shakeHands(
        on: socket, deadline: Clock.monotonicNanoseconds() + 1_000_000_000)
      require(message.count == 32 && message[12] == 2, "a welcome of another form")
      touch(welcome.regions)
    } catch {
      if message.isEmpty { require(error == .hungUp, "end of file is \(error)") }
    }
  }

  /// The regions are mapped as far as their facts say. An access beyond a mapping is a fault.
  private func touch(_ regions: borrowing ChannelRegions) {
    let shape = regions.shape
    var slot = unsafe regions.slot(shape.slotCount - 1).pointee
    let area = unsafe regions.argumentArea(shape.slotCount - 1)
    let end = UInt32(shape.payloadByteCount)
    guard let last = unsafe regions.payload(offset: end - 1, byteCount: 1),
      unsafe regions.payload(offset: end, byteCount: 1) == nil
    else { broken("the payload ring ends where it should not") }
    slot.file = UInt64(unsafe area[area.count - 1] ^ last[0])
    unsafe regions.slot(shape.slotCount - 1).pointee = slot
  }

  private func checkWindow(_ socket: borrowing FileDescriptor, _ message: [UInt8]) {
    guard let opened = try? receiveWindow(on: socket, file: 7) else { return }
    require(message.count == 32 && message[12] == 5, "a descriptor message of another form")
    _ = opened.life.isOver
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 1)
    defer { unsafe room.deallocate() }
    let last = Int64(opened.region.granuleCount - 1) * 4096
    for offset in [0, last, last + 1, -1, .max] {
      _ = unsafe opened.region.copy(into: room, at: offset)
    }
  }
}

/// The descriptors of a message: regions of a channel, memory with any content, and other files.
private struct Descriptors: ~Copyable {
  var first: SharedDescriptor?
  var second: SharedDescriptor?

  init(_ input: inout FuzzInput, honest: RawRegions) {
    var shape = honest.shape
    first = Self.make(&input, honest, &shape)
    second = Self.make(&input, honest, &shape)
  }

  private static func make(
    _ input: inout FuzzInput, _ honest: RawRegions, _ shape: inout ChannelShape
  ) -> SharedDescriptor? {
    switch input.choice(9) {
    case 1: honest.control
    case 2: honest.io
    case 3: memory(&input, 4096 * (1 + input.choice(8)), with: sluice_magic)
    case 4: memory(&input, 4096, with: sluice_magic)
    case 5: facts(&input, &shape)
    case 8: filled(shape.ioByteCount, [])
    case 6:
      // An ordinary file of one page, which its owner could truncate.
      try? unsafe SharedDescriptor(FileDescriptor.open("/proc/self/exe", [.readOnly]))
    case 7: try? SharedDescriptor(SocketPair().takeOurs())
    default: nil
    }
  }

  /// Sealed memory that begins with `magic` and goes on with the fuzzer's bytes.
  private static func memory(
    _ input: inout FuzzInput, _ byteCount: Int, with magic: UInt64
  ) -> SharedDescriptor? {
    let content = unsafe withUnsafeBytes(of: magic) { unsafe Array($0) } + input.sequence()
    return filled(byteCount, content)
  }

  /// A control region whose facts are right for some shape, or nearly right.
  private static func facts(
    _ input: inout FuzzInput, _ shape: inout ChannelShape
  ) -> SharedDescriptor? {
    shape = ChannelShape(
      slotCount: 1 << input.choice(13), argumentAreaByteCount: 64 * (1 + input.choice(64)),
      payloadByteCount: 131_072, byteOrder: input.flag() ? .littleEndian : .bigEndian)
    var content = unsafe withUnsafeBytes(of: shape.facts) { unsafe Array($0) }
    for _ in 0..<input.choice(4) { content[input.choice(content.count)] = input.byte() }
    return filled(shape.controlByteCount, content)
  }

  private static func filled(_ byteCount: Int, _ content: [UInt8]) -> SharedDescriptor? {
    guard let memory = try? FileDescriptor.sealedMemory("fuzz", byteCount: byteCount),
      let mapping = try? Mapping(memory, byteCount: byteCount)
    else { return nil }
    for (index, byte) in content.prefix(byteCount).enumerated() {
      unsafe mapping.start.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
    }
    return SharedDescriptor(memory)
  }
}

extension SocketPair {
  fileprivate consuming func takeOurs() -> FileDescriptor { ours }
}
