// Several threads do what clients have submitted to them before somebody else goes on.
//
// Threads: any.

internal import Synchronization

final class Settlement: Sendable {
  /// The file that is busy, or that an outsider wants; nil for any.
  let file: SharedFile?
  private let openCount: Atomic<Int>
  private let whenDone: @Sendable () -> Void

  /// `whenDone` is called in the thread that settles last.
  init(file: SharedFile?, askedCount: Int, whenDone: @escaping @Sendable () -> Void) {
    self.file = file
    self.whenDone = whenDone
    openCount = Atomic(askedCount)
  }

  /// Whether each thread that was asked has settled what it had.
  var isDone: Bool { openCount.load(ordering: .acquiring) == 0 }

  /// One of the threads that were asked has settled what it had.
  func oneHasSettled() {
    let openCount = openCount.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue
    if openCount == 0 { whenDone() }
  }
}
