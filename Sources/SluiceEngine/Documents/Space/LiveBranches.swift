// The branches that are in memory, within a budget of bytes. The writer changes them in place, so that
// a commit costs what it changes; others read them under one lock, or take a copy out, which costs
// memory only once the writer changes the branch meanwhile.
//
// Lock: `LiveBranches` has one. The writer holds it while it applies a transaction, and never during a
// sync. A reader holds it for a look at one path. `LiveBranch` is touched under it alone.

internal import SluiceAutomerge
internal import SluiceSystem
internal import Synchronization

/// A branch in memory.
final class LiveBranch {
  var record: BranchRecord
  var document: Document
  var state: BranchState
  /// How the branch stood before the transactions that are not yet committed; nil if there are none.
  var committed: BranchState?
  /// Whether the transaction that makes the branch is not yet committed.
  var isNew: Bool
  /// The writer needs it until its group ends.
  var isPinned = false
  /// Up to here the newest snapshot goes.
  var snapshotSequence: Int64
  /// How many changes make another one due at least.
  var snapshotCadence: Int64 = .max
  /// The bytes of the changes behind it.
  var byteCountSinceSnapshot = 0
  /// The JSON of the whole, and the sequence number whose it is.
  var json: (sequence: Int64, text: String)?
  fileprivate var lastUse: UInt64 = 0
  fileprivate var byteCount = 0

  init(_ loaded: LoadedBranch, isNew: Bool = false) {
    record = loaded.record
    document = loaded.document
    state = loaded.state
    snapshotSequence = loaded.snapshotSequence
    self.isNew = isNew
  }

  fileprivate var presentByteCount: Int {
    document.memoryByteCount + (json?.text.utf8.count ?? 0)
  }
}

final class LiveBranches: Sendable {
  struct Table: @unchecked Sendable {
    fileprivate(set) var branches: [BranchReference: LiveBranch] = [:]
    fileprivate(set) var byteCount = 0
    private var useCount: UInt64 = 0
    /// How many branches have left. As long as it stays, what a commit has changed is still here.
    private(set) var removalCount: UInt64 = 0
    let byteCountMax: Int

    fileprivate init(byteCountMax: Int) { self.byteCountMax = byteCountMax }

    mutating func find(_ ref: BranchReference) -> LiveBranch? {
      guard let branch = branches[ref] else { return nil }
      useCount += 1
      branch.lastUse = useCount
      return branch
    }

    mutating func insert(_ branch: LiveBranch) {
      remove(branch.record.ref)
      useCount += 1
      branch.lastUse = useCount
      branches[branch.record.ref] = branch
      account(for: branch)
    }

    mutating func remove(_ ref: BranchReference) {
      guard let branch = branches.removeValue(forKey: ref) else { return }
      byteCount -= branch.byteCount
      removalCount += 1
    }

    mutating func removeAll() {
      branches = [:]
      byteCount = 0
      removalCount += 1
    }

    mutating func forgetSnapshots() {
      for branch in branches.values { branch.snapshotSequence = 0 }
    }

    /// Notes how large a branch has become, and evicts others if all are too large together.
    mutating func account(for branch: LiveBranch) {
      byteCount -= branch.byteCount
      branch.byteCount = branch.presentByteCount
      byteCount += branch.byteCount
      if byteCount > byteCountMax { evict(exceptFor: branch) }
    }

    /// Evicts what was not used for longest, and a quarter more than must be: one look at all branches
    /// makes room for many.
    private mutating func evict(exceptFor kept: LiveBranch) {
      let idle = branches.values.filter { !$0.isPinned && $0.committed == nil && $0 !== kept }
      for branch in idle.sorted(by: { $0.lastUse < $1.lastUse }) {
        if byteCount <= byteCountMax / 4 * 3 { return }
        remove(branch.record.ref)
      }
    }
  }

  let table: FutexLock<Table>
  /// Changes when a group of transactions ends.
  private let groupCount = Atomic<UInt32>(0)

  init(byteCountMax: Int) { table = FutexLock(Table(byteCountMax: byteCountMax)) }

  var group: UInt32 { groupCount.load(ordering: .acquiring) }

  /// Wakes those who wait for the group's end.
  func endGroup() {
    groupCount.wrappingAdd(1, ordering: .releasing)
    unsafe withUnsafePointer(to: groupCount) { unsafe Futex.wake($0, count: .max) }
  }

  /// Waits until the group has ended, or 50 ms.
  func waitForEnd(of group: UInt32) {
    unsafe withUnsafePointer(to: groupCount) {
      unsafe Futex.wait($0, while: group, timeoutNanoseconds: 50_000_000)
    }
  }
}
