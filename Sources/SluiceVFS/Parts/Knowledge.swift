// What a connection knows of its database without asking the sidecar: the pages in the read window,
// the file's size, whether a journal or WAL exists, and which locks stand. This is true while the
// sidecar owns the database, which the window says, and once posted writes on the file are done; of a
// page, those that overlap it.
//
// A lock or an absence is believed for one second after the sidecar last confirmed it. A sidecar
// that was stopped for long has lost its lease, and a program need not open a database to put a
// journal beside it.
//
// xFetch gives SQLite pointers into the window. The pages stay there while the window is mapped and
// pinned, and nobody changes them while SQLite's locks protect them.

internal import CSluice
internal import SluiceChannel
internal import SluiceClient
internal import SluiceSystem
internal import SluiceWire
internal import Synchronization

final class Knowledge: Sendable {
  let remote: RemoteFile
  private let shortcuts: Shortcuts
  /// Set once, by the first `wasGranted`. Other threads read it too, through the registry.
  private let windowReference = AtomicLazyReference<WindowRegion>()
  private let epoch = ProcessEpoch.current
  private nonisolated(unsafe) var wasOpened = false
  private nonisolated(unsafe) var life: Life?
  /// When the sidecar last granted a lock, and when it last said that a journal or WAL was absent,
  /// by the coarse clock.
  private nonisolated(unsafe) var lockedAt: Int64 = .min / 2
  private let journalMissedAt = Atomic<Int64>(.min / 2)
  private let walMissedAt = Atomic<Int64>(.min / 2)
  private static var beliefNanoseconds: Int64 { 1_000_000_000 }
  /// Only the connection uses this and the following fields.
  nonisolated(unsafe) var posted: PostedWrites
  /// How many pages SQLite has in use.
  private nonisolated(unsafe) var fetchCount = 0
  /// Whether the sidecar knows that addresses in the window are in use. Nil if the window cannot be
  /// pinned.
  private nonisolated(unsafe) var isPinned: Bool? = false

  /// What is known of a file that was just opened. If it is the file of a connection that has `ended`
  /// on the same channel, that one's window is still true.
  init(of remote: RemoteFile, after ended: Knowledge? = nil) {
    self.remote = remote
    shortcuts = remote.channel.shortcuts
    unsafe posted = PostedWrites(on: remote.channel)
    guard let ended, remote.isCertainlySame(as: ended.remote), let window = ended.window,
      !window.isRetired
    else { return }
    unsafe wasOpened = true
    unsafe life = ended.life
    _ = windowReference.storeIfNil(window)
    journalMissedAt.store(ended.journalMissedAt.load(ordering: .relaxed), ordering: .relaxed)
    walMissedAt.store(ended.walMissedAt.load(ordering: .relaxed), ordering: .relaxed)
  }

  /// The sidecar has granted a lock. The first time, this maps the window, because nothing is owned
  /// without a lock. If this fails, every call goes to the sidecar.
  @inline(__always)
  func wasGranted() {
    if unsafe !wasOpened { openOnce() }
    unsafe lockedAt = Clock.coarseNanoseconds()
  }

  @inline(never)
  private func openOnce() {
    unsafe wasOpened = true
    // A sidecar never owns a file that other hosts may change.
    guard remote.isLocal,
      !shortcuts.isDisjoint(with: [.readWindow, .ownedKnowledge, .standingLocks]),
      let opened = try? remote.openWindow()
    else { return }
    unsafe life = opened.life
    _ = windowReference.storeIfNil(opened.region)
  }

  /// Whether the sidecar is dead. Its sign of life shows that before its locks are free.
  var sidecarIsDead: Bool {
    if let life = unsafe life { return life.isOver }
    return !remote.channel.session.probe()
  }

  /// How much memory the window has at most, in bytes.
  var windowByteCount: Int64 { window?.knownByteCount ?? 0 }

  /// Whether addresses in the window were used.
  var wasPinned: Bool { unsafe isPinned != false }

  /// The window, once it is mapped. Nil in a forked child, because the child holds no lock.
  @inline(__always)
  private var window: WindowRegion? { epoch.isCurrent ? windowReference.load() : nil }

  /// Whether the sidecar has replaced this window by another, and SQLite uses no page of it.
  @inline(__always)
  var isRetired: Bool { (window?.isRetired ?? false) && !isInUse }

  /// The knowledge with the sidecar's next window.
  func successor() -> Knowledge {
    let next = Knowledge(of: remote)
    unsafe next.posted = posted
    unsafe next.lockedAt = lockedAt
    next.openOnce()
    return next
  }

  /// Whether no program outside the sidecar can have the database open.
  var isOwned: Bool { window?.isOwned ?? false }

  // MARK: The file

  /// Reads from the window; false if it cannot.
  @inline(__always)
  func read(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int64
  ) throws(CallError) -> Bool {
    guard shortcuts.contains(.readWindow), let window = window else { return false }
    if unsafe posted.overlap(offset, byteCount: buffer.count) { try settle() }
    return unsafe window.copy(into: buffer, at: offset)
  }

  /// The file's size in bytes; nil if the sidecar must be asked.
  @inline(__always)
  func byteCount() throws(CallError) -> Int64? {
    guard shortcuts.contains(.ownedKnowledge), let window = window else { return nil }
    try settle()
    return window.knownByteCount
  }

  /// Whether this file is known to be absent.
  @inline(__always)
  func isAbsent(_ file: AbsentFiles) -> Bool {
    guard shortcuts.contains(.ownedKnowledge), let window = window else { return false }
    let missedAt =
      file == .journal
      ? journalMissedAt.load(ordering: .relaxed) : walMissedAt.load(ordering: .relaxed)
    return Clock.coarseNanoseconds() - missedAt < Self.beliefNanoseconds
      && window.knownAbsentFiles.contains(file)
  }

  /// The sidecar has said that this file is absent.
  func missed(_ file: AbsentFiles) {
    let now = Clock.coarseNanoseconds()
    if file == .journal {
      journalMissedAt.store(now, ordering: .relaxed)
    } else {
      walMissedAt.store(now, ordering: .relaxed)
    }
  }

  // MARK: Locks

  /// Takes standing locks; false if the sidecar must be asked.
  @inline(__always)
  func take(_ locks: LockSet, alone: Bool = false) -> Bool {
    guard let life = unsafe life, shortcuts.contains(.standingLocks),
      unsafe Clock.coarseNanoseconds() - lockedAt < Self.beliefNanoseconds
    else { return false }
    return remote.takeStanding(locks, alone: alone, life)
  }

  /// Gives locks back and lets them stand; false if the sidecar must be told.
  @inline(__always)
  func giveBack(_ locks: LockSet) -> Bool {
    shortcuts.contains(.standingLocks) && remote.giveBackStanding(locks)
  }

  @inline(__always)
  private func settle() throws(CallError) {
    if unsafe posted.isEmpty { return }
    // If a posted write has failed, this throws until the transaction is over.
    try remote.settle()
    unsafe posted.removeAll()
  }

  // MARK: Pages by pointer

  /// Whether SQLite has pages in use.
  var isInUse: Bool { unsafe fetchCount > 0 }

  /// The address of a range of the file, in use until `giveBack`; nil if SQLite must read it.
  func fetch(at offset: Int64, byteCount: Int) throws(CallError) -> UnsafeMutableRawPointer? {
    guard shortcuts.contains(.readWindow), let window = window else { return nil }
    try settle()
    if unsafe isPinned != true {
      guard unsafe isPinned != nil, pin() else { return nil }
    }
    var place = unsafe window.content(at: offset, byteCount: byteCount)
    if unsafe place == nil, let end = window.knownByteCount, offset + Int64(byteCount) <= end {
      // A read through the sidecar puts the pages into the window.
      let room = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 16)
      defer { unsafe room.deallocate() }
      _ = try unsafe remote.readRarely(into: room, at: offset)
      unsafe place = unsafe window.content(at: offset, byteCount: byteCount)
    }
    guard let place = unsafe place else { return nil }
    unsafe fetchCount += 1
    return unsafe UnsafeMutableRawPointer(mutating: place)
  }

  /// Tells the sidecar, before the first page is used, not to take the window's memory away.
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
