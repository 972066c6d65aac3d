// What a server sends on a session's socket after the welcome.

package import CSluice
internal import SluiceChannel
internal import SluiceSystem
package import SluiceWire

/// Passes the descriptors of a session's further channel.
func sendChannel(
  number: UInt32, control: Int32, io: Int32, on socket: borrowing FileDescriptor
) throws(Errno) {
  var message = sluice_channel_message()
  message.head = messageHead(SLUICE_MESSAGE_CHANNEL)
  message.channel = number
  try unsafe withUnsafeBytes(of: message) { (bytes) throws(Errno) in
    try unsafe socket.send(bytes, passing: control, io)
  }
}

/// The head of a message that the server or a service sends on a session's socket.
package func messageHead(_ kind: sluice_message_kind, status: Status = .done) -> sluice_message_head
{
  sluice_message_head(
    magic: sluice_magic, version: protocolVersion, kind: UInt16(kind.rawValue),
    status: UInt16(status.rawValue))
}
