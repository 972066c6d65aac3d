// The values whose deletion the program allows. A value stays allowed until the storage ends.
//
// Threads: any.

internal import SluiceSystem

final class ValidDeletions: Sendable {
  private let ids = FutexLock<Set<RecordID>>([])

  func allow(_ id: RecordID) { ids.withLock { _ = $0.insert(id) } }
  func isValid(_ id: RecordID) -> Bool { ids.withLock { $0.contains(id) } }
}
