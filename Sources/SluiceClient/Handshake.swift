// hello → welcome, on the client's side. Nothing but the handshake and later descriptors travels
// on the socket.

internal import CSluice
internal import SluiceChannel
internal import SluiceSystem
internal import SluiceWire

/// How long a sidecar may take to answer a hello; a private one starts in the meantime.
private let handshakeMilliseconds: Int32 = 10_000

struct Welcome: ~Copyable {
  var session: UInt64
  var usesHostPaths: Bool
  var regions: ChannelRegions
}

func shakeHands(on socket: borrowing FileDescriptor) throws(ConnectError) -> Welcome {
  var hello = sluice_hello()
  hello.head = messageHead(SLUICE_MESSAGE_HELLO)
  do throws(Errno) {
    try unsafe withUnsafeBytes(of: hello) { (bytes) throws(Errno) in
      try unsafe socket.send(bytes, withCredentials: true)
    }
  } catch .brokenPipe {
    // A peer that has refused already has closed its end; its reason is still to be read.
  } catch {
    throw .system(error)
  }
  var welcome = sluice_welcome()
  let regions = try receiveRegions(
    on: socket, as: &welcome, kind: SLUICE_MESSAGE_WELCOME)
  return Welcome(
    session: welcome.session,
    usesHostPaths: welcome.features & SLUICE_FEATURE_HOST_PATHS != 0, regions: regions)
}

/// The channel that the sidecar has just opened.
func receiveChannel(on socket: borrowing FileDescriptor) throws(ConnectError) -> ChannelLine {
  var message = sluice_channel_message()
  let regions = try receiveRegions(
    on: socket, as: &message, kind: SLUICE_MESSAGE_CHANNEL)
  return ChannelLine(number: message.channel, regions: regions)
}

/// The descriptor that a request on `file` has just been answered with.
func receiveDescriptor(
  on socket: borrowing FileDescriptor, file: UInt64, purpose: DescriptorPurpose
) throws(ConnectError) -> FileDescriptor {
  var message = sluice_descriptor_message()
  var received = try receive(on: socket, as: &message, kind: SLUICE_MESSAGE_DESCRIPTOR)
  guard message.file == file, message.purpose == purpose.rawValue,
    let descriptor = received.first.take()
  else { throw .notASidecar }
  return descriptor
}

/// A peer that has closed its end without reading our hello is an error at first (ECONNRESET); what
/// it said before, a refusal say, stands behind it.
private func receiveLastWord(
  on socket: borrowing FileDescriptor, into room: UnsafeMutableRawBufferPointer
) throws(Errno) -> ReceivedMessage {
  do throws(Errno) {
    return try unsafe socket.receive(into: room)
  } catch .connectionReset {
    return try unsafe socket.receive(into: room)
  }
}

private func messageHead(_ kind: sluice_message_kind) -> sluice_message_head {
  sluice_message_head(
    magic: sluice_magic, version: protocolVersion, kind: UInt16(kind.rawValue), status: 0)
}

private func receiveRegions<M: BitwiseCopyable>(
  on socket: borrowing FileDescriptor, as message: inout M, kind: sluice_message_kind
) throws(ConnectError) -> ChannelRegions {
  var received = try receive(on: socket, as: &message, kind: kind)
  guard let control = received.first.take(), let io = received.second.take() else {
    throw .notASidecar
  }
  do throws(Errno) {
    if let regions = try ChannelRegions.attach(control: control, io: io) { return regions }
  } catch {
    throw .system(error)
  }
  throw .notASidecar
}

private func receive<M: BitwiseCopyable>(
  on socket: borrowing FileDescriptor, as message: inout M, kind: sluice_message_kind
) throws(ConnectError) -> ReceivedMessage {
  guard socket.awaitReadable(timeoutMilliseconds: handshakeMilliseconds) else { throw .noAnswer }
  let room = UnsafeMutableRawBufferPointer.allocate(
    byteCount: MemoryLayout<sluice_refusal>.size, alignment: 16)
  defer { unsafe room.deallocate() }
  let received: ReceivedMessage
  do throws(Errno) {
    received = try unsafe receiveLastWord(on: socket, into: room)
  } catch .connectionReset {
    throw .hungUp
  } catch {
    throw .system(error)
  }
  if received.byteCount == 0 { throw .hungUp }
  guard received.byteCount >= MemoryLayout<sluice_message_head>.size else { throw .notASidecar }
  let head = unsafe room.loadUnaligned(as: sluice_message_head.self)
  guard head.magic == sluice_magic else { throw .notASidecar }
  if head.kind == UInt16(SLUICE_MESSAGE_REFUSAL.rawValue) {
    throw .refused(Status(rawValue: Int32(head.status)) ?? .badHandshake)
  }
  guard head.version == protocolVersion else { throw .refused(.wrongVersion) }
  guard head.kind == UInt16(kind.rawValue), received.byteCount == MemoryLayout<M>.size else {
    throw .notASidecar
  }
  message = unsafe room.loadUnaligned(as: M.self)
  return received
}
