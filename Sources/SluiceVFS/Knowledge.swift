// What a connection knows of its database without asking: the pages in the read window, the
// file's size, whether a journal or WAL is there, and which locks stand. It is true while the sidecar
// owns the database, which the window says, and after everything that was posted on the file is done.
//
// Locks and absences are believed for a second after the sidecar's last word on them: one that was
// stopped for long has lost its lease, and nobody has to open a database to put a journal beside it.
//
// xFetch gives SQLite pages where they lie in the window. They stay there as long as the window is
// mapped and pinned, and what they hold is changed by nobody while SQLite's locks protect it.

internal import CSluice
internal import SluiceChannel
internal import SluiceClient
internal import SluiceSystem
internal import SluiceWire
internal import Synchronization

final class Knowledge: Sendable {
  let remote: RemoteFile
  private let shortcuts: Shortcuts
  /// Written once, by the first `wasGranted`; the registry's other threads look at it too.
  private let windowReference = AtomicLazyReference<WindowRegion>()
  private let epoch = ProcessEpoch.current
  private nonisolated(unsafe) var wasOpened = false
  private nonisolated(unsafe) var life: Life?
  /// When the sidecar granted a lock last, and when it said last that a journal or WAL was absent, by
  /// the coarse clock.
  private nonisolated(unsafe) var lockedAt: Int64 = .min / 2
  private let journalMissedAt = Atomic<Int64>(.min / 2)
  private let walMissedAt = Atomic<Int64>(.min / 2)
  private static var beliefNanoseconds: Int64 { 1_000_000_000 }
  /// Whether a write may be under way. This and what follows is used by the connection alone.
  nonisolated(unsafe) var hasPosted = false
  /// How many pages SQLite has in use.
  private nonisolated(unsafe) var fetchCount = 0
  /// Whether the sidecar has been told that addresses in the window are used; nil where it cannot be.
  private nonisolated(unsafe) var isPinned: Bool? = false

  init(of remote: RemoteFile) {
    self.remote = remote
    shortcuts = remote.channel.shortcuts
  }

  /// The sidecar has granted a lock. Maps the window the first time, for without a lock nothing is
  /// owned. Where that fails all is asked of the sidecar.
  @inline(__always)
  func wasGranted() {
    if unsafe !wasOpened { openOnce() }
    unsafe lockedAt = Clock.coarseNanoseconds()
  }

  @inline(never)
  private func openOnce() {
    unsafe wasOpened = true
    // What other hosts may change nobody owns.
    guard remote.isLocal,
      !shortcuts.isDisjoint(with: [.readWindow, .ownedKnowledge, .standingLocks]),
      let opened = try? remote.openWindow()
    else { return }
    unsafe life = opened.life
    _ = windowReference.storeIfNil(opened.region)
  }

  /// The window, once it is there. To a forked child it says nothing: nobody keeps a lock for it.
  @inline(__always)
  private var window: WindowRegion? { epoch.isCurrent ? windowReference.load() : nil }

  /// Whether the sidecar has given this window up for another one, and SQLite uses no page of it.
  @inline(__always)
  var isRetired: Bool { (window?.isRetired ?? false) && !isInUse }

  /// What is known by the sidecar's next window.
  func successor() -> Knowledge {
    let next = Knowledge(of: remote)
    unsafe next.hasPosted = hasPosted
    unsafe next.lockedAt = lockedAt
    next.openOnce()
    return next
  }

  /// Whether nobody outside can have the database open.
  var isOwned: Bool { window?.isOwned ?? false }

  // MARK: The file

  /// Reads from the window; false where that is not possible.
  @inline(__always)
  func read(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int64
  ) throws(CallError) -> Bool {
    guard shortcuts.contains(.readWindow), let window = window else { return false }
    try settle()
    return unsafe window.copy(into: buffer, at: offset)
  }

  /// The file's size in bytes, or nil where it must be asked.
  @inline(__always)
  func byteCount() throws(CallError) -> Int64? {
    guard shortcuts.contains(.ownedKnowledge), let window = window else { return nil }
    try settle()
    return window.knownByteCount
  }

  /// Whether it is known that such a file is not there.
  @inline(__always)
  func isAbsent(_ file: AbsentFiles) -> Bool {
    guard shortcuts.contains(.ownedKnowledge), let window = window else { return false }
    let missedAt =
      file == .journal
      ? journalMissedAt.load(ordering: .relaxed) : walMissedAt.load(ordering: .relaxed)
    return Clock.coarseNanoseconds() - missedAt < Self.beliefNanoseconds
      && window.knownAbsentFiles.contains(file)
  }

  /// The sidecar has said that there is no such file.
  func missed(_ file: AbsentFiles) {
    let now = Clock.coarseNanoseconds()
    if file == .journal {
      journalMissedAt.store(now, ordering: .relaxed)
    } else {
      walMissedAt.store(now, ordering: .relaxed)
    }
  }

  // MARK: Locks

  /// Takes locks that stand; false where they have to be asked for.
  @inline(__always)
  func take(_ locks: LockSet, alone: Bool = false) -> Bool {
    guard let life = unsafe life, shortcuts.contains(.standingLocks),
      unsafe Clock.coarseNanoseconds() - lockedAt < Self.beliefNanoseconds
    else { return false }
    return remote.takeStanding(locks, alone: alone, life)
  }

  /// Gives locks back and lets them stand; false where the sidecar has to be told.
  @inline(__always)
  func giveBack(_ locks: LockSet) -> Bool {
    shortcuts.contains(.standingLocks) && remote.giveBackStanding(locks)
  }

  @inline(__always)
  private func settle() throws(CallError) {
    guard unsafe hasPosted else { return }
    // One that has failed is told until the transaction is over.
    try remote.settle()
    unsafe hasPosted = false
  }

  // MARK: Pages by pointer

  /// Whether SQLite has pages in use.
  var isInUse: Bool { unsafe fetchCount > 0 }

  /// The address of a stretch of the file, in use until `giveBack`; nil where SQLite must read it.
  func fetch(at offset: Int64, byteCount: Int) throws(CallError) -> UnsafeMutableRawPointer? {
    guard shortcuts.contains(.readWindow), let window = window else { return nil }
    try settle()
    if unsafe isPinned != true {
      guard unsafe isPinned != nil, pin() else { return nil }
    }
    var place = unsafe window.content(at: offset, byteCount: byteCount)
    if unsafe place == nil, let end = window.knownByteCount, offset + Int64(byteCount) <= end {
      // Whatever is read through the sidecar stands in the window afterwards.
      let room = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 16)
      defer { unsafe room.deallocate() }
      _ = try unsafe remote.read(into: room, at: offset)
      unsafe place = unsafe window.content(at: offset, byteCount: byteCount)
    }
    guard let place = unsafe place else { return nil }
    unsafe fetchCount += 1
    return unsafe UnsafeMutableRawPointer(mutating: place)
  }

  /// Before the first page: else the sidecar may take its memory away.
  @inline(never)
  private func pin() -> Bool {
    do throws(CallError) {
      try remote.pinWindow()
      unsafe isPinned = true
    } catch {
      unsafe isPinned = nil
    }
    return unsafe isPinned == true
  }

  func giveBack() {
    unsafe precondition(fetchCount > 0, "SQLite gives back what it fetched")
    unsafe fetchCount -= 1
  }
}
