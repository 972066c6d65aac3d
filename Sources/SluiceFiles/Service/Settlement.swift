// Several threads do what clients have submitted to them before a request or an outsider goes on.
//
// Threads: any.

internal import SluiceSystem
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

/// A thread that can settle what clients have submitted to it.
protocol Settler: AnyObject, Sendable {
  /// The number of the thread.
  var number: Int { get }
  /// Has the thread settle. Any thread may call this.
  func settle(_ settlement: Settlement)
  /// Has the thread end the sessions that have this file open. Any thread may call this.
  func cutOff(_ file: SharedFile)
}

/// All threads that serve files.
final class Settlers: Sendable {
  private let settlers = FutexLock<[any Settler]>([])

  func add(_ settler: any Settler) { settlers.withLock { $0.append(settler) } }

  /// The thread ends: it has nothing left to settle.
  func remove(_ settler: any Settler) { settlers.withLock { $0.removeAll { $0 === settler } } }

  /// The threads besides one with sessions that have, or had, `file` open. All besides that one
  /// where no file is named.
  func besides(_ settler: (any Settler)?, using file: SharedFile?) -> [any Settler] {
    settlers.withLock { settlers in
      settlers.filter { $0 !== settler && (file?.isUsed(byReactor: $0.number) ?? true) }
    }
  }
}
