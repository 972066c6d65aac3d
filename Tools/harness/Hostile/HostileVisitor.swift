// Visitors with bad manners: they connect and say the wrong thing, too much, too little or nothing.
// The sidecar must refuse each or send it away, and no other client may notice.

internal import CSluice
internal import SluiceSystem
internal import ToolSupport

/// Confined to one thread.
struct HostileVisitor {
  private let socket: String
  private var random: SplitMix64
  /// Visitors that say nothing. They are few, because many of them would keep all others out.
  private var silent: [SharedDescriptor] = []
  private static let silentMaximum = 32

  init(socket: String, seed: UInt64) {
    self.socket = socket
    random = SplitMix64(seed: seed)
  }

  /// Makes one visit. Throws where the sidecar accepts no connection any more.
  mutating func visit() throws(HarnessError) {
    let door = SharedDescriptor(try RawSession.reach(socket))
    if random.once(in: 4) {
      silent.append(door)
      if silent.count > HostileVisitor.silentMaximum { silent.removeFirst() }
      return
    }
    let times = random.once(in: 3) ? 2 : 1
    for _ in 0..<times { say(message(), on: door) }
    // Half of the visitors wait for the answer.
    if random.once(in: 2) { _ = door.descriptor.awaitReadable(timeoutMilliseconds: 20) }
  }

  mutating func leave() { silent = [] }

  private mutating func say(_ bytes: [UInt8], on door: SharedDescriptor) {
    let passed = random.once(in: 4) ? door.descriptor.rawValue : -1
    let alsoPassed = random.once(in: 2) ? passed : -1
    let isAttested = random.once(in: 2)
    // No withUnsafeBytes with a throwing body here: Swift 6.3.1 crashes when it inlines that.
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 8)
    defer { unsafe room.deallocate() }
    unsafe room.copyBytes(from: bytes)
    _ = try? unsafe door.descriptor.send(
      UnsafeRawBufferPointer(room), passing: passed, alsoPassed, withCredentials: isAttested)
  }

  /// A hello with something wrong in it; now and then with nothing wrong.
  private mutating func message() -> [UInt8] {
    var hello = sluice_hello()
    hello.head = sluice_message_head(
      magic: sluice_magic, version: UInt32(SLUICE_PROTOCOL_VERSION),
      kind: UInt16(SLUICE_MESSAGE_HELLO.rawValue), status: 0)
    switch random.below(6) {
    case 0: hello.head.magic = random.next()
    case 1: hello.head.version = UInt32(truncatingIfNeeded: random.next())
    case 2: hello.head.kind = UInt16(random.below(70_000) & 0xffff)
    case 3: hello.reserved = (random.next(), random.next())
    default: break
    }
    var bytes = unsafe withUnsafeBytes(of: hello) { unsafe [UInt8]($0) }
    switch random.below(6) {
    case 0: bytes.removeLast(1 + random.below(31))
    case 1: bytes += (0...random.below(4096)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    case 2:
      for _ in 0..<3 {
        bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next())
      }
    default: break
    }
    return bytes
  }
}
