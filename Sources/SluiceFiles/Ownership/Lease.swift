// The write lease on one file, by which it is ours alone.
//
//   held      no other process has the file open, and none can open it before we have answered.
//   not held  others may have it open. We try again at `retryAt`, less and less often, unless the
//             file can have no lease.
//
// A value that its owner keeps under the file's `state`. It says when to try, and makes the three
// lease calls. What must happen beside them (locks, windows, counting) is the owner's business.

internal import SluiceSystem
internal import Synchronization

struct Lease {
  private enum State {
    case held
    /// `retryAt` is nil where this file can have no lease.
    case notHeld(retryAt: Int64?, backoff: Int64)
  }

  private var state: State

  private static let backoffMinimum: Int64 = 1_000_000
  private static let backoffMaximum: Int64 = 1_000_000_000
  /// How long we leave the file to others after one of them broke the lease.
  private static let backoffAfterBreak: Int64 = 100_000_000

  /// `isPossible`: false where a lease proves nothing (FileSystemKind).
  init(isPossible: Bool) {
    state = isPossible ? .notHeld(retryAt: 0, backoff: Self.backoffMinimum) : Self.never
  }

  private static var never: State { .notHeld(retryAt: nil, backoff: 0) }

  @inline(__always)
  var isHeld: Bool {
    switch state {
    case .held: true
    case .notHeld: false
    }
  }

  /// Whether it is not held and it is time to try.
  @inline(__always)
  func isToBeTried(now: Int64) -> Bool {
    guard case .notHeld(let retryAt, _) = state, let retryAt else { return false }
    return now >= retryAt
  }

  /// Asks the kernel for it; whether it was granted.
  mutating func take(on file: borrowing FileDescriptor, now: Int64) -> Bool {
    do throws(Errno) {
      try file.takeLease()
      state = .held
      return true
    } catch .again {
      // Another process has the file open.
      guard case .notHeld(_, let backoff) = state else { return false }
      state = .notHeld(
        retryAt: now + backoff, backoff: min(backoff * 2, Self.backoffMaximum))
    } catch {
      // Not our file, or a file system without leases.
      state = Self.never
    }
    return false
  }

  /// Whether an open by another process has begun to break it, or the kernel has taken it away.
  /// False where it is not held.
  func isBroken(on file: borrowing FileDescriptor) -> Bool {
    guard isHeld else { return false }
    if let isWhole = try? file.leaseIsWhole(), isWhole { return false }
    return true
  }

  /// From now on others may change the file. `giveBack` must follow when the locks stand on it.
  mutating func end(now: Int64) {
    state = .notHeld(retryAt: now + Self.backoffAfterBreak, backoff: Self.backoffAfterBreak)
  }

  /// The same, and it is never tried again.
  mutating func endForGood() { state = Self.never }

  /// Tells the kernel, which lets in the process that waits. Fails where the kernel has taken the
  /// lease away before.
  func giveBack(on file: borrowing FileDescriptor) throws(Errno) {
    precondition(!isHeld, "a lease is given back after its end")
    try file.giveBackLease()
  }
}

/// How long a lease counts without a look. The kernel takes a lease away after
/// /proc/sys/fs/lease-break-time seconds without an answer, 45 by default: after a long pause of
/// the sidecar nothing is certain. Any thread.
struct LeaseTrust: ~Copyable, Sendable {
  private static let nanoseconds: Int64 = 5_000_000_000
  private let verifiedAt = Atomic<Int64>(0)

  @inline(__always)
  func isOver(now: Int64) -> Bool {
    now - verifiedAt.load(ordering: .relaxed) > Self.nanoseconds
  }

  func begin(now: Int64) { verifiedAt.store(now, ordering: .relaxed) }
}
