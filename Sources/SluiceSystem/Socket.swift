// SOCK_SEQPACKET Unix sockets: whole messages, descriptors with them, and end-of-file when the peer
// is gone. Only `awaitReadable` waits.

internal import CSluice

/// The size of a received message, and what came with it.
public struct ReceivedMessage: ~Copyable {
  /// 0 when the peer has closed its end.
  public var byteCount: Int
  public var first: FileDescriptor?
  public var second: FileDescriptor?
  /// The sender's process as the kernel attests it; 0 if the message had no credentials.
  public var senderProcess: Int32
}

/// Two connected ends. One of them is for another process.
@frozen
public struct SocketPair: ~Copyable {
  public var ours: FileDescriptor
  public var theirs: FileDescriptor

  public init() throws(Errno) {
    var ends: (Int32, Int32) = (-1, -1)
    let result = unsafe withUnsafeMutableBytes(of: &ends) {
      unsafe sluice_socket_pair($0.baseAddress!.assumingMemoryBound(to: Int32.self))
    }
    _ = try check(result)
    ours = FileDescriptor(owning: ends.0)
    theirs = FileDescriptor(owning: ends.1)
  }
}

extension FileDescriptor {
  /// Throws `again` when the listener's queue is full.
  public static func connect(toSocket path: UnsafePointer<CChar>) throws(Errno) -> FileDescriptor {
    unsafe FileDescriptor(owning: try check(sluice_socket_connect(path)))
  }

  /// Binds a new socket file at `path` with `permissions`, and listens.
  public static func listen(
    onSocket path: UnsafePointer<CChar>, backlog: Int32, permissions: UInt32
  ) throws(Errno) -> FileDescriptor {
    unsafe FileDescriptor(owning: try check(sluice_socket_listen(path, backlog, permissions)))
  }

  /// Shuts the connection down for both sides. The descriptor stays open.
  public borrowing func shutDown() { _ = sluice_socket_shutdown(rawValue) }

  /// Waits for a connection.
  public borrowing func accept() throws(Errno) -> FileDescriptor {
    FileDescriptor(owning: try check(sluice_socket_accept(rawValue)))
  }

  /// Sends one message, with copies of up to two descriptors (negative: none).
  public borrowing func send(
    _ message: UnsafeRawBufferPointer, passing first: Int32 = -1, _ second: Int32 = -1,
    withCredentials: Bool = false
  ) throws(Errno) {
    let sent = try unsafe check(
      sluice_socket_send(
        rawValue, message.baseAddress!, message.count, first, second, withCredentials ? 1 : 0))
    precondition(sent == message.count, "a seqpacket message goes whole or not at all")
  }

  /// Receives one message into `buffer`. Throws `again` if there is none.
  public borrowing func receive(
    into buffer: UnsafeMutableRawBufferPointer
  ) throws(Errno) -> ReceivedMessage {
    var first: Int32 = -1
    var second: Int32 = -1
    var process: Int32 = 0
    let result = unsafe sluice_socket_receive(
      rawValue, buffer.baseAddress!, buffer.count, &first, &second, &process)
    let one = first < 0 ? nil : FileDescriptor(owning: first)
    let two = second < 0 ? nil : FileDescriptor(owning: second)
    // Take ownership of the descriptors before throwing, or they leak.
    return ReceivedMessage(
      byteCount: Int(try check(result)), first: one, second: two, senderProcess: process)
  }

  /// Asks the kernel to attach the sender's credentials to messages that are received here.
  public borrowing func receiveCredentials() throws(Errno) {
    _ = try check(sluice_socket_pass_credentials(rawValue))
  }

  /// The user and process that connected, or made the pair.
  public borrowing func peer() throws(Errno) -> (user: UInt32, process: Int32) {
    var user: UInt32 = 0
    var process: Int32 = 0
    _ = try unsafe check(sluice_socket_peer(rawValue, &user, &process))
    return (user, process)
  }

  /// A descriptor that becomes readable when the process that connected, or made the pair, ends. It
  /// works across pid namespaces. Throws `noProcess` if the process has ended, and another error if
  /// the kernel cannot show it.
  public borrowing func peerEnd() throws(Errno) -> FileDescriptor {
    FileDescriptor(owning: try check(sluice_socket_peer_end(rawValue)))
  }

  /// Whether a message or end-of-file can be read within the time.
  public borrowing func awaitReadable(timeoutMilliseconds: Int32) -> Bool {
    var entry = pollfd(fd: rawValue, events: Int16(POLLIN), revents: 0)
    let deadline = Clock.monotonicNanoseconds() + Int64(timeoutMilliseconds) * 1_000_000
    var rest = timeoutMilliseconds
    while true {
      let result = unsafe sluice_poll(&entry, 1, rest)
      if result == 0 { return entry.revents != 0 }
      // A signal of the program interrupted the wait. Continue with the remaining time.
      guard result == -EINTR else { return false }
      rest = Int32(clamping: max(0, (deadline - Clock.monotonicNanoseconds()) / 1_000_000))
    }
  }

  /// Whether the peer has closed its end or died.
  public borrowing func peerIsGone() -> Bool {
    var entry = pollfd(fd: rawValue, events: 0, revents: 0)
    guard unsafe sluice_poll(&entry, 1, 0) == 0 else { return false }
    return entry.revents & Int16(POLLHUP | POLLERR | POLLNVAL) != 0
  }
}
