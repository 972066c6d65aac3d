// A session as SPEC.md has it: hello, welcome, and the messages that accompany answers. It checks
// every field of every message.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem
internal import SluiceWire

/// Confined to one thread.
final class RawSession {
  let socket: FileDescriptor
  let features: UInt32
  let home: RawChannel

  static let messageMillisecondsMaximum: Int32 = 10_000

  /// Connects to the sidecar that listens on `path` and shakes hands.
  init(_ path: String) throws(HarnessError) {
    let socket = try RawSession.reach(path)
    var hello = sluice_hello()
    hello.head = sluice_message_head(
      magic: sluice_magic, version: UInt32(SLUICE_PROTOCOL_VERSION),
      kind: UInt16(SLUICE_MESSAGE_HELLO.rawValue), status: 0)
    do throws(Errno) {
      try unsafe withUnsafeBytes(of: hello) { (bytes) throws(Errno) in
        try unsafe socket.send(bytes, withCredentials: true)
      }
    } catch {
      throw RawSession.failure("hello", error)
    }
    var welcome = sluice_welcome()
    var received = try RawSession.receive(on: socket, SLUICE_MESSAGE_WELCOME, &welcome)
    guard let control = received.first.take(), let io = received.second.take() else {
      throw .difference("a welcome without two descriptors")
    }
    guard welcome.channel == 0 else { throw .difference("a welcome with channel not 0") }
    features = welcome.features
    self.socket = socket
    home = try RawChannel(number: 0, control: control, io: io)
  }

  /// A connection on which nothing was said yet. A `HarnessSidecar` has reached the sidecar before,
  /// so a sidecar that is not there any more is a difference.
  static func reach(_ path: String) throws(HarnessError) -> FileDescriptor {
    let name = zeroTerminated(path)
    for _ in 0..<1000 {
      do throws(Errno) {
        return try unsafe FileDescriptor.connect(toSocket: name)
      } catch .again {
        // The queue is full: the sidecar is busy with other greetings.
        Clock.sleep(nanoseconds: 5_000_000)
      } catch .connectionRefused, .noEntry {
        throw .difference("\(path): no sidecar listens any more")
      } catch {
        throw .system(path, error)
      }
    }
    throw .difference("\(path): no sidecar accepts connections")
  }

  /// Makes one request and waits for its answer, on the home channel or on the given one. No other
  /// request may be under way on that channel.
  func ask<M: Message>(
    _ operation: Operation, file: UInt64 = 0, _ arguments: M, on channel: RawChannel? = nil
  ) throws(HarnessError) -> RawAnswer {
    let channel = channel ?? home
    channel.post(code: operation.rawValue, file: file, arguments)
    try channel.awaitAnswers(socket)
    return channel.takeAnswer()
  }

  /// Receives the channel that the last answer opened with `number`.
  func receiveChannel(_ number: UInt64) throws(HarnessError) -> RawChannel {
    var message = sluice_channel_message()
    var received = try RawSession.receive(on: socket, SLUICE_MESSAGE_CHANNEL, &message)
    guard let control = received.first.take(), let io = received.second.take() else {
      throw .difference("a channel message without two descriptors")
    }
    guard UInt64(message.channel) == number else {
      throw .difference("channel \(number) was answered, channel \(message.channel) came")
    }
    return try RawChannel(number: message.channel, control: control, io: io)
  }

  /// Receives the descriptor of the request on `file` that was just answered. A read window comes
  /// together with the sidecar's life.
  func receiveDescriptor(
    of file: UInt64, purpose: UInt32
  ) throws(HarnessError) -> FileDescriptor {
    var message = sluice_descriptor_message()
    var received = try RawSession.receive(on: socket, SLUICE_MESSAGE_DESCRIPTOR, &message)
    guard message.file == file, message.purpose == purpose, let descriptor = received.first.take()
    else { throw .difference("a descriptor message that was not asked for") }
    let life = received.second.take()
    if purpose == SLUICE_DESCRIPTOR_WINDOW {
      guard let life, life.isSealedMemory(byteCount: MemoryLayout<sluice_life>.size) else {
        throw .difference("a read window without the sidecar's life")
      }
    } else if life != nil {
      throw .difference("two descriptors where one was asked for")
    }
    return descriptor
  }

  /// Says that this session is over, and waits until the sidecar has released everything that the
  /// session had and shuts down its end.
  func leave() throws(HarnessError) {
    _ = shutdown(socket.rawValue, Int32(SHUT_WR))
    guard socket.awaitReadable(timeoutMilliseconds: RawSession.messageMillisecondsMaximum) else {
      throw .difference("a session whose client has hung up was not ended")
    }
  }

  /// Closes both directions of the socket. The sidecar notices later.
  func vanish() { socket.shutDown() }

  private static func receive<M: BitwiseCopyable>(
    on socket: borrowing FileDescriptor, _ kind: sluice_message_kind, _ message: inout M
  ) throws(HarnessError) -> ReceivedMessage {
    guard socket.awaitReadable(timeoutMilliseconds: messageMillisecondsMaximum) else {
      throw .difference("no message of kind \(kind.rawValue) came")
    }
    let room = UnsafeMutableRawBufferPointer.allocate(
      byteCount: MemoryLayout<sluice_refusal>.size, alignment: 16)
    defer { unsafe room.deallocate() }
    let received: ReceivedMessage
    do throws(Errno) {
      received = try unsafe socket.receive(into: room)
    } catch {
      throw RawSession.failure("message", error)
    }
    guard received.byteCount > 0 else { throw .difference("message: the sidecar hung up") }
    guard received.byteCount == MemoryLayout<M>.size else {
      throw .difference("a message of \(received.byteCount) bytes, not of kind \(kind.rawValue)")
    }
    let head = unsafe room.loadUnaligned(as: sluice_message_head.self)
    guard head.magic == sluice_magic, head.version == UInt32(SLUICE_PROTOCOL_VERSION),
      head.kind == UInt16(kind.rawValue), head.status == 0
    else { throw .difference("a message of kind \(head.kind), not \(kind.rawValue)") }
    message = unsafe room.loadUnaligned(as: M.self)
    return received
  }

  /// A call on the socket failed: the fault is the sidecar's if it hung up.
  private static func failure(_ what: String, _ error: Errno) -> HarnessError {
    switch error {
    case .brokenPipe, .connectionReset, .notConnected:
      .difference("\(what): the sidecar hung up")
    default: .system(what, error)
    }
  }
}
