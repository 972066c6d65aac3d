// hello → welcome, on the server's side. A client is checked before anything is made for it.

internal import CSluice
internal import SluiceChannel
internal import SluiceSystem
internal import SluiceWire

/// Why a visitor was sent away.
struct Refusal: Error {
  let status: Status
  let text: String
}

/// Reads a hello. Gives its sender's process as the kernel attests it; nil where nothing was sent.
func receiveHello(on socket: borrowing FileDescriptor) throws(Refusal) -> Int32? {
  var hello = sluice_hello()
  let received: ReceivedMessage
  do throws(Errno) {
    received = try unsafe withUnsafeMutableBytes(of: &hello) { (bytes) throws(Errno) in
      try unsafe socket.receive(into: bytes)
    }
  } catch {
    throw Refusal(status: .badHandshake, text: "the hello cannot be read")
  }
  if received.byteCount == 0 { return nil }
  guard received.byteCount >= MemoryLayout<sluice_message_head>.size,
    hello.head.magic == sluice_magic
  else { throw Refusal(status: .badHandshake, text: "this is no sluice hello") }
  guard hello.head.version == protocolVersion else {
    throw Refusal(
      status: .wrongVersion,
      text: "the client speaks protocol version \(hello.head.version), "
        + "this sidecar version \(protocolVersion); install the same release on both sides")
  }
  guard hello.head.kind == UInt16(SLUICE_MESSAGE_HELLO.rawValue),
    received.byteCount == MemoryLayout<sluice_hello>.size
  else { throw Refusal(status: .badHandshake, text: "the hello is malformed") }
  return received.senderProcess
}

func sendRefusal(_ refusal: Refusal, on socket: borrowing FileDescriptor) {
  var message = sluice_refusal()
  message.head = messageHead(SLUICE_MESSAGE_REFUSAL, status: refusal.status)
  unsafe withUnsafeMutableBytes(of: &message.text) { room in
    let text = refusal.text.utf8.prefix(room.count - 1)
    unsafe room.copyBytes(from: text)
  }
  // A visitor that is gone needs no answer.
  _ = try? unsafe withUnsafeBytes(of: message) { (bytes) throws(Errno) in
    try unsafe socket.send(bytes)
  }
}

func sendWelcome(
  session: UInt64, features: UInt32, control: Int32, io: Int32, on socket: borrowing FileDescriptor
) throws(Errno) {
  var message = sluice_welcome()
  message.head = messageHead(SLUICE_MESSAGE_WELCOME)
  message.session = session
  message.features = features
  try unsafe withUnsafeBytes(of: message) { (bytes) throws(Errno) in
    try unsafe socket.send(bytes, passing: control, io)
  }
}
