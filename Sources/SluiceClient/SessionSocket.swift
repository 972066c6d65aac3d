// The socket of a session, in a process whose other code may close it.
//
// A program that closes all its descriptors (closefrom, a daemon) closes ours too, and whatever it
// opens next may get the number. So the socket lives at a high number, and is recognised, by its
// inode, before each use and before it is closed: a number that stands for something else now is
// left alone, and the session counts as lost. Another thread that closes and opens between the look
// and the use cannot be kept from it.
//
// Threads: any.

internal import SluiceSystem

final class SessionSocket: Sendable {
  private let number: Int32
  private let device: UInt64
  private let inode: UInt64

  /// Takes over a socket that was just made.
  init(_ descriptor: consuming FileDescriptor) throws(Errno) {
    let status = try descriptor.status()
    device = status.device
    inode = status.inode
    number = descriptor.release()
  }

  deinit { if isOurs { _ = FileDescriptor(owning: number) } }

  /// Whether the number still stands for this socket.
  private var isOurs: Bool {
    lend { descriptor in
      guard let status = try? descriptor.status() else { return false }
      return status.isSocket && status.device == device && status.inode == inode
    }
  }

  /// Whether the sidecar has closed its end or died, or this process has closed its own.
  func peerIsGone() -> Bool { !isOurs || lend { $0.peerIsGone() } }

  /// Ends the conversation for both sides, where it has not ended yet.
  func shutDown() { if isOurs { lend { $0.shutDown() } } }

  /// Runs `body` with the socket. Throws `hungUp` where this process has closed it.
  func use<R>(
    _ body: (borrowing FileDescriptor) throws(ConnectError) -> R
  ) throws(ConnectError) -> R {
    guard isOurs else { throw .hungUp }
    return try lend(body)
  }

  /// The descriptor without its ownership.
  private func lend<R, E: Error>(
    _ body: (borrowing FileDescriptor) throws(E) -> R
  ) throws(E) -> R {
    let lent = FileDescriptor(owning: number)
    do throws(E) {
      let result = try body(lent)
      _ = lent.release()
      return result
    } catch {
      _ = lent.release()
      throw error
    }
  }
}
