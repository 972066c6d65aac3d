// The system calls of a WebSocketLoop that fail when a resource of the whole system is short. A test
// makes them fail.

internal import SluiceSystem

protocol WebSocketCalls: Sendable {
  /// Waits for any of the entries until the time is up; -1 is for ever.
  func wait(_ entries: inout [PollEntry], timeoutMilliseconds: Int32) throws(Errno)
  /// The next connection. Throws `again` if there is none.
  func accept(_ listener: SharedDescriptor) throws(Errno) -> FileDescriptor
}

/// The kernel's.
struct SystemWebSocketCalls: WebSocketCalls {
  func wait(_ entries: inout [PollEntry], timeoutMilliseconds: Int32) throws(Errno) {
    try poll(&entries, timeoutMilliseconds: timeoutMilliseconds)
  }

  func accept(_ listener: SharedDescriptor) throws(Errno) -> FileDescriptor {
    try listener.descriptor.acceptStream()
  }
}
