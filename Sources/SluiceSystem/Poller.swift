// One thread's wait for any of several descriptors.

internal import CSluice

/// Owns an epoll set. A token names each member.
public struct Poller: ~Copyable, Sendable {
  private let descriptor: FileDescriptor

  public init() throws(Errno) {
    descriptor = FileDescriptor(owning: try check(sluice_epoll_create()))
  }

  /// Watches `member` for input, end-of-file included.
  public borrowing func add(_ member: borrowing FileDescriptor, token: UInt64) throws(Errno) {
    _ = try check(sluice_epoll_add(descriptor.rawValue, member.rawValue, token))
  }

  public borrowing func remove(_ member: borrowing FileDescriptor) {
    _ = sluice_epoll_remove(descriptor.rawValue, member.rawValue)
  }

  /// The token of a member that has input, or nil when the time is up. A timeout of `nil` has no
  /// limit.
  public borrowing func wait(timeoutMilliseconds: Int32?) throws(Errno) -> UInt64? {
    var token: UInt64 = 0
    let count = try unsafe check(
      sluice_epoll_wait(descriptor.rawValue, &token, timeoutMilliseconds ?? -1))
    return count > 0 ? token : nil
  }
}

/// Ends a poller's wait from another thread.
public final class Bell: Sendable {
  public let descriptor: FileDescriptor

  public init() throws(Errno) {
    descriptor = FileDescriptor(owning: try check(sluice_bell_create()))
  }

  /// Makes the descriptor readable. Never waits.
  public func ring() { sluice_bell_ring(descriptor.rawValue) }

  /// Forgets all rings so far.
  public func silence() { sluice_bell_silence(descriptor.rawValue) }
}
