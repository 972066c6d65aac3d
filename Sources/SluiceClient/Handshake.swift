// hello → welcome, on the client's side. Only the handshake and later descriptors travel on the
// socket.

internal import CSluice
internal import SluiceChannel
internal import SluiceSystem
internal import SluiceWire

/// How long a sidecar may take to send the message that a reply announces.
private let passingMilliseconds: Int32 = 10_000

struct Welcome: ~Copyable {
  var session: UInt64
  var usesHostPaths: Bool
  var servesAlsoDirectories: Bool
  var shortcuts: Shortcuts
  var regions: ChannelRegions
}

/// Sends hello, and waits for the welcome until `deadline` (by the monotonic clock). A private
/// sidecar starts in the meantime.
func shakeHands(
  on socket: borrowing FileDescriptor, deadline: Int64
) throws(ConnectError) -> Welcome {
  var hello = sluice_hello()
  hello.head = messageHead(SLUICE_MESSAGE_HELLO)
  do throws(Errno) {
    try unsafe withUnsafeBytes(of: hello) { (bytes) throws(Errno) in
      try unsafe socket.send(bytes, withCredentials: true)
    }
  } catch .brokenPipe {
    // The peer has refused already and closed its end. Its reason can still be read.
  } catch {
    throw .system(error)
  }
  var welcome = sluice_welcome()
  let rest = (deadline - Clock.monotonicNanoseconds()) / 1_000_000
  guard socket.awaitReadable(timeoutMilliseconds: Int32(clamping: max(0, rest))) else {
    throw .noAnswer
  }
  let regions = try receiveRegions(
    on: socket, as: &welcome, kind: SLUICE_MESSAGE_WELCOME)
  return Welcome(
    session: welcome.session,
    usesHostPaths: welcome.features & SLUICE_FEATURE_HOST_PATHS != 0,
    servesAlsoDirectories: welcome.features & SLUICE_FEATURE_ALSO_DIRECTORIES != 0,
    shortcuts: Shortcuts(rawValue: welcome.features).intersection(.all), regions: regions)
}

/// Receives the channel that the sidecar has just opened.
func receiveChannel(on socket: borrowing FileDescriptor) throws(ConnectError) -> ChannelLine {
  var message = sluice_channel_message()
  let regions = try receiveRegions(
    on: socket, as: &message, kind: SLUICE_MESSAGE_CHANNEL)
  return ChannelLine(number: message.channel, regions: regions)
}

/// Maps the read window that a request on `file` has just been answered with. Its descriptors are
/// those of anonymous memory, on which no lock can stand. Nil if there is no room for it.
func receiveWindow(
  on socket: borrowing FileDescriptor, file: UInt64
) throws(ConnectError) -> OpenedWindow? {
  var descriptor: FileDescriptor?
  var lifeDescriptor: FileDescriptor?
  var message = sluice_descriptor_message()
  try unsafe receive(on: socket, as: &message, kind: SLUICE_MESSAGE_DESCRIPTOR) {
    (room) throws(Errno) in
    var received = try unsafe receiveLastWord(on: socket, into: room)
    descriptor = received.first.take()
    lifeDescriptor = received.second.take()
    return received.byteCount
  }
  guard message.file == file, message.purpose == DescriptorPurpose.window.rawValue,
    let descriptor, let lifeDescriptor
  else { throw .notASidecar }
  let region: WindowRegion?
  let life: Life?
  do throws(Errno) {
    region = try WindowRegion.attach(descriptor)
    life = try Life.attach(lifeDescriptor)
  } catch {
    return nil
  }
  guard let region, let life else { throw .notASidecar }
  return OpenedWindow(region: region, life: life)
}

/// Maps the descriptor that a request on `file` has just been answered with, a descriptor of the
/// file `number`: anywhere, or in the place of `present`. Nil if there is no room for it.
func receiveMapping(
  on socket: borrowing FileDescriptor, file: UInt64, purpose: DescriptorPurpose,
  _ range: MappedRange, of number: FileNumber, inPlaceOf present: SharedMapping?
) throws(ConnectError) -> SharedMapping? {
  var mapped: ReceivedMapping?
  var message = sluice_descriptor_message()
  try unsafe receive(on: socket, as: &message, kind: SLUICE_MESSAGE_DESCRIPTOR) {
    (room) throws(Errno) in
    let received = try unsafe SharedMapping.receive(
      on: socket, message: room, offset: range.offset, byteCount: range.byteCount,
      writable: range.isWritable, of: number, inPlaceOf: present)
    mapped = received
    return received.messageByteCount
  }
  guard message.file == file, message.purpose == purpose.rawValue, let mapped,
    mapped.failure != .badDescriptor
  else {
    throw .notASidecar
  }
  return mapped.mapping
}

/// Receives a message, also from a peer that has closed its end without reading our hello. The
/// first call then fails (ECONNRESET), and the next returns the peer's last message, for example a
/// refusal.
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
  var control: FileDescriptor?
  var io: FileDescriptor?
  try unsafe receive(on: socket, as: &message, kind: kind) { (room) throws(Errno) in
    var received = try unsafe receiveLastWord(on: socket, into: room)
    control = received.first.take()
    io = received.second.take()
    return received.byteCount
  }
  guard let control, let io else { throw .notASidecar }
  do throws(Errno) {
    if let regions = try ChannelRegions.attach(control: control, io: io) { return regions }
  } catch {
    throw .system(error)
  }
  throw .notASidecar
}

private func receive<M: BitwiseCopyable>(
  on socket: borrowing FileDescriptor, as message: inout M, kind: sluice_message_kind,
  _ receiveMessage: (UnsafeMutableRawBufferPointer) throws(Errno) -> Int
) throws(ConnectError) {
  guard socket.awaitReadable(timeoutMilliseconds: passingMilliseconds) else { throw .noAnswer }
  let room = UnsafeMutableRawBufferPointer.allocate(
    byteCount: MemoryLayout<sluice_refusal>.size, alignment: 16)
  defer { unsafe room.deallocate() }
  let byteCount: Int
  do throws(Errno) {
    byteCount = try unsafe receiveMessage(room)
  } catch .connectionReset {
    throw .hungUp
  } catch {
    throw .system(error)
  }
  if byteCount == 0 { throw .hungUp }
  guard byteCount >= MemoryLayout<sluice_message_head>.size else { throw .notASidecar }
  let head = unsafe room.loadUnaligned(as: sluice_message_head.self)
  guard head.magic == sluice_magic else { throw .notASidecar }
  if head.kind == UInt16(SLUICE_MESSAGE_REFUSAL.rawValue) {
    throw .refused(Status(rawValue: Int32(head.status)) ?? .badHandshake)
  }
  guard head.version == protocolVersion else { throw .refused(.wrongVersion) }
  guard head.kind == UInt16(kind.rawValue), byteCount == MemoryLayout<M>.size else {
    throw .notASidecar
  }
  message = unsafe room.loadUnaligned(as: M.self)
}
