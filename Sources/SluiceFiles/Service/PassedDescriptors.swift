// Descriptors that a request asks for go over the session's socket, before the request is answered.

internal import CSluice
internal import SluiceChannel
internal import SluiceServer
internal import SluiceSystem

/// Passes one descriptor that a request on the open file `file` asked for, or two.
func sendDescriptors(
  _ first: Int32, and second: Int32 = -1, _ purpose: DescriptorPurpose, file: UInt64,
  on socket: borrowing FileDescriptor
) throws(Errno) {
  var message = sluice_descriptor_message()
  message.head = messageHead(SLUICE_MESSAGE_DESCRIPTOR)
  message.file = file
  message.purpose = purpose.rawValue
  try unsafe withUnsafeBytes(of: message) { (bytes) throws(Errno) in
    try unsafe socket.send(bytes, passing: first, second)
  }
}
