// The socket of a session, in a process whose other code may close it.
//
// A program that closes all its descriptors (closefrom, a daemon) closes the socket too, and the
// next open may get its number. So the socket has a high number, and is recognised by its inode
// before each use and before it is closed. If the number belongs to another file now, it is left
// alone, and the session counts as lost. Nothing prevents another thread from closing and opening
// between this check and the use.
//
// Threads: any.

internal import CSluice
internal import SluiceSystem

final class SessionSocket: Sendable {
  private let number: Int32
  private let device: UInt64
  private let inode: UInt64

  /// Takes over a new socket.
  init(_ descriptor: consuming FileDescriptor) throws(Errno) {
    let status = try descriptor.status()
    device = status.device
    inode = status.inode
    number = descriptor.release()
  }

  deinit { if isOurs { _ = FileDescriptor(owning: number) } }

  /// Whether the number still belongs to this socket.
  private var isOurs: Bool {
    lend { descriptor in
      guard let status = try? descriptor.status() else { return false }
      return status.isSocket && status.device == device && status.inode == inode
    }
  }

  /// The sidecar's user and process; nil where they cannot be told.
  var peer: (user: UInt32, process: Int32)? { isOurs ? lend { try? $0.peer() } : nil }

  /// Whether the sidecar has closed its end or died, or this process has closed its own end.
  func peerIsGone() -> Bool { !isOurs || lend { $0.peerIsGone() } }

  /// Shuts the connection down for both sides.
  func shutDown() { if isOurs { lend { $0.shutDown() } } }

  /// Runs `body` with the socket. Throws `hungUp` if this process has closed it.
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

/// Connects to the socket at `path` (zero-terminated) until `deadline` (by the monotonic clock).
func reachSidecar(
  _ path: UnsafePointer<CChar>, deadline: Int64
) throws(ConnectError) -> FileDescriptor {
  var refusalCount = 0
  while true {
    do throws(Errno) {
      return try unsafe FileDescriptor.connect(toSocket: path)
    } catch .connectionRefused where refusalCount < 5 {
      // The socket's file appears a moment before its sidecar listens.
      refusalCount += 1
      Clock.sleep(nanoseconds: 2_000_000)
    } catch .again {
      // The queue is full: the sidecar is busy with other handshakes.
      guard Clock.monotonicNanoseconds() < deadline else { throw .noAnswer }
      Clock.sleep(nanoseconds: 10_000_000)
    } catch {
      // The kernel refuses a file that is no socket as it refuses a socket without a listener.
      let isOther = unsafe error == .connectionRefused && !sluice_is_socket(path)
      throw .unreachable(isOther ? .notSocket : error)
    }
  }
}
