// How many bytes the files beneath a root may have together.
//
// What counts is the sizes of all regular files beneath the root, those of databases, journals and
// WALs alike, each inode once: as they were when the sidecar started, and since then what its clients
// made longer, shorter or removed. Unnamed files count while they are open. What others put beneath
// the root or take from it meanwhile is not seen until the next start. The `-shm` files of WAL
// databases do not count: a client has those in its own hands.
//
// Threads: any. A growth is counted before it is written, so that all files together never exceed
// the quota; who would exceed it is told EDQUOT, and SQLite says SQLITE_FULL. A file that is open knows
// how much of it is counted; it alone changes that.

internal import SluiceSystem
internal import SluiceWire
internal import Synchronization

final class Quota: Sendable {
  private let byteCountMaximum: Int64
  private let counted: Atomic<Int64>

  /// Counts what is there. `progress` is called once when that takes longer than a second.
  init(_ byteCountMaximum: Int64, root: Root, progress: () -> Void) {
    self.byteCountMaximum = byteCountMaximum
    var census = Census(tellAt: Clock.monotonicNanoseconds() + 1_000_000_000)
    root.withDirectory { census.add($0, progress) }
    counted = Atomic(census.byteCount)
  }

  init(_ byteCountMaximum: Int64, countedByteCount: Int64) {
    self.byteCountMaximum = byteCountMaximum
    counted = Atomic(countedByteCount)
  }

  var countedByteCount: Int64 { counted.load(ordering: .relaxed) }

  /// Counts so many bytes more, unless there would be too many.
  func take(_ byteCount: Int64) -> Bool {
    var present = counted.load(ordering: .relaxed)
    while true {
      let (sum, overflows) = present.addingReportingOverflow(byteCount)
      guard !overflows, sum <= byteCountMaximum else { return false }
      let (exchanged, original) = counted.compareExchange(
        expected: present, desired: sum, ordering: .relaxed)
      if exchanged { return true }
      present = original
    }
  }

  /// Counts what has changed already, more or less.
  func note(change byteCount: Int64) { counted.wrappingAdd(byteCount, ordering: .relaxed) }

  /// Whether a file of this name counts (zero-terminated).
  static func counts(_ name: [CChar]) -> Bool { !name.dropLast().suffix(4).elementsEqual(walIndex) }

  private static let walIndex = "-shm".utf8.map { CChar(bitPattern: $0) }
}

/// What one open file has counted of itself.
final class QuotaAccount: Sendable {
  private let quota: Quota
  private let counted: Atomic<Int64>

  /// A file of this size is counted already.
  init(_ quota: Quota, countedByteCount: Int64) {
    self.quota = quota
    counted = Atomic(countedByteCount)
  }

  /// The file is about to have at least `byteCount` bytes. Throws EDQUOT if that is too much.
  func reserve(_ byteCount: Int64) throws(Errno) {
    var present = counted.load(ordering: .relaxed)
    while byteCount > present {
      guard quota.take(byteCount - present) else { throw .overQuota }
      let (exchanged, original) = counted.compareExchange(
        expected: present, desired: byteCount, ordering: .relaxed)
      if exchanged { return }
      quota.note(change: present - byteCount)
      present = original
    }
  }

  /// The file has this size now.
  func settle(_ byteCount: Int64) {
    let before = counted.exchange(byteCount, ordering: .relaxed)
    quota.note(change: byteCount - before)
  }
}

/// The sizes of all files beneath a directory.
private struct Census {
  private(set) var byteCount: Int64 = 0
  private var tellAt: Int64?
  private var linked: Set<FileIdentity> = []
  /// Deeper than this no path leads.
  private var depth = 0

  init(tellAt: Int64) { self.tellAt = tellAt }

  mutating func add(_ directory: borrowing FileDescriptor, _ progress: () -> Void) {
    guard let names = try? directory.namesInDirectory() else { return }
    for name in names {
      if let tellAt, Clock.monotonicNanoseconds() > tellAt {
        progress()
        self.tellAt = nil
      }
      let name = name.map { CChar(bitPattern: $0) } + [0]
      guard let status = try? unsafe directory.status(of: name) else { continue }
      if status.isRegular, Quota.counts(name) {
        if status.linkCount > 1, !linked.insert(FileIdentity(status)).inserted { continue }
        byteCount += status.byteCount
      } else if status.isDirectory, depth < 512,
        let inner = try? unsafe FileDescriptor.open(
          name, in: directory.rawValue, [.directory, .readOnly, .noFollow])
      {
        depth += 1
        add(inner, progress)
        depth -= 1
      }
    }
  }

}
