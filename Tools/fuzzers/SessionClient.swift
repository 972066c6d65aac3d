// A client of the session target: its side of the socket, and its channels as raw memory.

import CSluice
import SluiceSystem
import SluiceWire

@testable import SluiceChannel
@testable import SluiceServer

/// One channel, with its requests under way.
final class SessionChannel {
  let number: UInt32
  let regions: RawRegions
  private(set) var posted: UInt32 = 0
  private var answered: UInt32 = 0
  /// The input has written over the channel, so that its content means nothing.
  var isSpoilt = false
  private var asked: [(operation: UInt16, byteCount: UInt32)] = []

  init(number: UInt32, _ regions: RawRegions) {
    self.number = number
    self.regions = regions
  }

  var hasRoom: Bool { posted &- answered < UInt32(regions.shape.slotCount) }

  func post(_ slot: sluice_slot, arguments: [UInt8]) {
    posted &+= 1
    regions.post(slot, number: posted, arguments: arguments)
    asked.append((slot.operation, slot.payload_byte_count))
  }

  /// Checks the answers that have come: an honest client must understand each. Returns the files
  /// that were opened.
  func takeAnswers() -> [UInt64] {
    if isSpoilt { return [] }
    var files: [UInt64] = []
    while answered != posted, regions.isAnswered(answered &+ 1) {
      let (code, byteCount) = asked[Int(answered)]
      answered &+= 1
      if let file = check(regions.slot(of: answered), code, byteCount) { files.append(file) }
    }
    return files
  }

  /// The file id that an answer to `open` names.
  private func check(_ slot: sluice_slot, _ code: UInt16, _ byteCount: UInt32) -> UInt64? {
    guard let status = Status(rawValue: slot.return_code) else {
      broken("the answer to \(code) has status \(slot.return_code)")
    }
    guard let operation = SluiceWire.Operation(rawValue: code) else {
      require(status == .unknownOperation, "an unknown operation is \(status)")
      return nil
    }
    let arguments = regions.arguments(of: answered)
    guard status.isDone else {
      require(arguments.isEmpty, "\(operation) was \(status), and has results")
      return nil
    }
    let limit = operation == .read ? byteCount : 0
    require(slot.payload_byte_count <= limit, "\(operation) gives more than the request asked for")
    if !arguments.isEmpty {
      require(operation.reply.check(arguments, .littleEndian), "the results of \(operation)")
    } else {
      require(operation.reply.name == "NoFields", "\(operation) without results")
    }
    guard operation == .open else { return nil }
    return unsafe arguments.withUnsafeBytes {
      try? unsafe OpenReply(decoding: $0, order: .littleEndian).file
    }
  }
}

/// One session. Confined to the target's thread.
final class SessionClient {
  let id: UInt64
  /// Its home channel, for the reactor.
  let home: Reactor.NewChannel
  private let socket: FileDescriptor
  private(set) var channels: [SessionChannel] = []
  /// Every file id that the session was given, in order.
  private(set) var files: [UInt64] = []

  /// `regions` become those of its home channel.
  init(id: UInt64, servedBy reactor: Reactor, _ regions: RawRegions) throws(Errno) {
    self.id = id
    let pair = try SocketPair()
    let link = SessionLink(
      id: id, socket: SharedDescriptor(pair.ours), user: 0, process: 0, processEnd: nil)
    socket = pair.theirs
    guard let number = link.addChannel(reactor, maximum: 1) else { broken("a home channel") }
    home = Reactor.NewChannel(link, number: number, regions.attach())
    channels.append(SessionChannel(number: 0, regions))
  }

  /// Takes the sidecar's answers from the channels and its messages from the socket.
  func listen() {
    for channel in channels { files += channel.takeAnswers() }
    var message = sluice_channel_message()
    while true {
      let received = unsafe withUnsafeMutableBytes(of: &message) { room in
        try? unsafe socket.receive(into: room)
      }
      guard var received, received.byteCount > 0 else { return }
      guard received.byteCount == MemoryLayout<sluice_channel_message>.size,
        let first = received.first.take()
      else { broken("a message without a descriptor: \(received.byteCount) bytes") }
      guard message.head.kind == UInt16(SLUICE_MESSAGE_CHANNEL.rawValue) else { continue }
      guard let second = received.second.take(),
        let regions = try? RawRegions(.standard, control: first, io: second)
      else { broken("a channel without its regions") }
      channels.append(SessionChannel(number: message.channel, regions))
    }
  }

  /// Leaves without a message.
  func hangUp() { socket.shutDown() }
}
