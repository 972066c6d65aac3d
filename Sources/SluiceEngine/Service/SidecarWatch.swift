// Ends the engine when the file sidecar that has its databases ends. The engine cannot reach another:
// it has given up the right to connect.
//
// Confined to the door's thread.

internal import CSluice
internal import SluiceServer
internal import SluiceSystem

final class SidecarWatch: Watch {
  private let end: SharedDescriptor
  private var hasTold = false

  init(_ end: SharedDescriptor) { self.end = end }

  /// The end of the process that listens on `socket`; nil where none listens, or the kernel cannot
  /// show it.
  static func end(ofServerOn socket: String) -> SharedDescriptor? {
    guard let connection = try? unsafe FileDescriptor.connect(toSocket: cString(socket)),
      let peer = try? connection.peer(),
      let end = try? FileDescriptor.processEnd(of: peer.process)
    else { return nil }
    return SharedDescriptor(end)
  }

  func join(_ poller: borrowing Poller, token: UInt64) throws(Errno) {
    try poller.add(end.descriptor, token: token)
  }

  func attend(isReadable: Bool) -> Int64? {
    guard isReadable, !hasTold, end.descriptor.awaitReadable(timeoutMilliseconds: 0) else {
      return nil
    }
    hasTold = true
    Log.warning("the file sidecar has ended, so the engine ends; start both again")
    raise(SIGTERM)
    return nil
  }
}
