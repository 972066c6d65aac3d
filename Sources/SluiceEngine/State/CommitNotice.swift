// Tells those who wait for the next commit of a state that there is one. One for all connections of a
// process; what other processes commit is found by looking from time to time.
//
// Any thread.

internal import SluiceSystem
internal import Synchronization

final class CommitNotice: Sendable {
  static let shared = CommitNotice()
  /// Counts the commits of all databases.
  private let count = Atomic<UInt32>(0)

  /// What `wait` compares with. Read it before you look for the commit.
  var present: UInt32 { count.load(ordering: .acquiring) }

  func tell() {
    _ = count.wrappingAdd(1, ordering: .releasing)
    unsafe withUnsafePointer(to: count) { unsafe Futex.wake($0, count: .max) }
  }

  /// Sleeps until there was a commit since `present` was read, or the time is over.
  func wait(since present: UInt32, nanoseconds: Int64) {
    unsafe withUnsafePointer(to: count) {
      unsafe Futex.wait($0, while: present, timeoutNanoseconds: nanoseconds)
    }
  }
}
