// The values whose deletion the program allows, and whether it lets the engine erase of its own
// accord. Both hold until the storage ends, and for each connection that it opens.
//
// Threads: any.

internal import SluiceSystem
internal import Synchronization

final class ValidDeletions: Sendable {
  private let ids = FutexLock<Set<RecordID>>([])
  private let erases = Atomic<Bool>(false)

  func allow(_ id: RecordID) { ids.withLock { _ = $0.insert(id) } }
  func isValid(_ id: RecordID) -> Bool { ids.withLock { $0.contains(id) } }

  /// Whether the engine erases of its own accord.
  var isErasureEnabled: Bool { erases.load(ordering: .relaxed) }
  func enableErasure() { erases.store(true, ordering: .relaxed) }
}
