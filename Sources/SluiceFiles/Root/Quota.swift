// How many bytes the files beneath a root may have together.
//
// The sizes of all regular files beneath the root count, databases, journals and WALs alike, each
// inode once; those in also-directories outside the root do not. They are measured when the sidecar starts; since then the sidecar counts what its
// clients make longer, shorter or remove. Unnamed files count while they are open. The sidecar does
// not see files that others put beneath the root, or remove, until its next start. The `-shm` files
// of WAL databases do not count, because each client can change them by itself.
//
// Threads: any. A growth is counted before it is written, so that all files together never exceed
// the quota. A client that would exceed it is told EDQUOT, and SQLite says SQLITE_FULL. An open
// file knows how much of it is counted, and only that file changes this (QuotaAccount).

internal import SluiceSystem
internal import SluiceWire
internal import Synchronization

final class Quota: Sendable {
  private let byteCountMaximum: Int64
  private let counted: Atomic<Int64>

  /// Counts the files that are there. `progress` is called once when that takes longer than a
  /// second.
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

  /// Counts a change that has happened already; below zero, files have become smaller.
  func note(change byteCount: Int64) { counted.wrappingAdd(byteCount, ordering: .relaxed) }

  /// Whether the file at this place counts.
  static func counts(_ location: borrowing Location) -> Bool {
    location.directory.root.isCounted && counts(location.name)
  }

  /// Whether a file of this name counts (zero-terminated).
  fileprivate static func counts(_ name: [CChar]) -> Bool {
    !name.dropLast().suffix(4).elementsEqual(walIndex)
  }

  private static let walIndex = "-shm".utf8.map { CChar(bitPattern: $0) }
}

/// How many bytes of one open file are counted.
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
  func setByteCount(_ byteCount: Int64) {
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
