// TCP sockets. No call here waits: one that would throws `again`.

internal import CSluice

extension FileDescriptor {
  /// Listens on an IPv4 or IPv6 address (zero-terminated, without brackets). Port 0 is any. Throws
  /// `invalid` for what is no address.
  public static func listen(
    onAddress address: UnsafePointer<CChar>, port: UInt16, backlog: Int32
  ) throws(Errno) -> FileDescriptor {
    unsafe FileDescriptor(owning: try check(sluice_stream_listen(address, port, backlog)))
  }

  /// The port on which this socket listens.
  public borrowing func port() throws(Errno) -> UInt16 {
    UInt16(truncatingIfNeeded: try check(sluice_stream_port(rawValue)))
  }

  /// The next connection.
  public borrowing func acceptStream() throws(Errno) -> FileDescriptor {
    FileDescriptor(owning: try check(sluice_stream_accept(rawValue)))
  }

  /// Receives up to `buffer.count` bytes; 0 when the peer sends no more.
  public borrowing func receiveStream(
    into buffer: UnsafeMutableRawBufferPointer
  ) throws(Errno) -> Int {
    Int(try unsafe check(sluice_stream_receive(rawValue, buffer.baseAddress!, buffer.count)))
  }

  /// Sends bytes, and gives how many were taken.
  public borrowing func sendStream(_ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int {
    Int(try unsafe check(sluice_stream_send(rawValue, bytes.baseAddress!, bytes.count)))
  }

  /// Tells the peer that no more will come. The peer may still send.
  public borrowing func endStream() { _ = sluice_stream_end(rawValue) }
}

/// Waits for any of the entries until the time is up. A signal ends the wait too.
public func poll(_ entries: inout [PollEntry], timeoutMilliseconds: Int32) throws(Errno) {
  let result = unsafe entries.withUnsafeMutableBufferPointer { entries -> Int32 in
    unsafe entries.withMemoryRebound(to: pollfd.self) {
      unsafe sluice_poll($0.baseAddress, UInt64($0.count), timeoutMilliseconds)
    }
  }
  if result != -EINTR { _ = try check(result) }
}

/// What to wait for on one descriptor, and what has happened. Laid out as poll(2) has it.
public struct PollEntry: Sendable {
  private var entry: pollfd

  public init(_ descriptor: Int32, input: Bool, output: Bool) {
    entry = pollfd(
      fd: descriptor, events: Int16((input ? POLLIN : 0) | (output ? POLLOUT : 0)), revents: 0)
  }

  /// Bytes, a connection, or the end of the stream.
  public var hasInput: Bool { entry.revents & Int16(POLLIN) != 0 }
  /// Neither side can send any more. Told whether it was asked for or not.
  public var isBroken: Bool { entry.revents & Int16(POLLHUP | POLLERR | POLLNVAL) != 0 }
  public var hasOutput: Bool { entry.revents & Int16(POLLOUT) != 0 }
}
