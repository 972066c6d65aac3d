// An open inode with what all sessions know of it together: its locks, and whether it is ours
// alone.
//
//   owned     we hold a write lease: no other process has the file open, none can open it before
//             we have answered. No lock stands on the file.
//   mirrored  somebody else may have it open: every lock that our clients hold together stands on
//             the file as well, on the bytes that SQLite's unix VFS uses.
//
// A lease proves nothing where other kernels, or a daemon, can change the file (FileSystemKind): such
// a file is mirrored for ever, has no WAL index, and its locks are taken off it before it is closed.
// The kernel takes them off a file that is closed, but tells no daemon of that.
//
// Threads: any. `state` is behind one small lock, held across lock and lease calls, which never
// wait but for the server of a shared file system. Reading and writing need no lock of ours, SQLite's
// own locks keep them apart, except where there is a read window: its lock is taken after that of
// `state`, if both are.

internal import SluiceChannel
internal import SluiceServer
internal import SluiceSystem
internal import SluiceWire
internal import Synchronization

final class SharedFile: Sendable {
  let identity: FileIdentity
  /// False where the system allows reading only.
  let isWritable: Bool
  let descriptor: FileDescriptor
  /// Whether one kernel sees everybody who opens it, so that a lease counts.
  let isLocal: Bool
  let state: FutexLock<State>
  private let metrics: Metrics
  /// Where there is a quota.
  private let account: QuotaAccount?
  /// How often locks were lost; a handle that locked before the last loss has none left.
  let losses = Atomic<UInt32>(0)
  /// Whether its description has perhaps gone bad. See SharedFile+Renewal.
  let doubt = Atomic<Bool>(false)
  /// A bit for each reactor with a session that has opened it; the last bit is for all beyond.
  private let users = Atomic<UInt64>(0)

  enum Ownership {
    case owned
    /// `retryAt` is nil where this file can have no lease.
    case mirrored(retryAt: Int64?, backoff: Int64)
  }

  struct State {
    var ownership: Ownership
    /// How many handles hold SHARED or more.
    var sharedCount = 0
    /// Who holds more than SHARED, and how much more.
    var writer: UInt64?
    var writerLevel = LockLevel.none
    /// Whether he came by RESERVED, as who writes does; who rolls back a hot journal does not.
    var writerIsReserved = false
    /// There while some handle uses it.
    var walIndex: WALIndex?
    /// Those with locks that stand. Empty while mirrored.
    var standers: [LockHolder] = []
    /// When the right to write was granted last to stand with nobody waiting.
    var writeGrantedAt: Int64 = .min / 2
    /// Who waits for a lock.
    var queue = LockQueue()

    init(mayBeOwned: Bool) {
      ownership = .mirrored(retryAt: mayBeOwned ? 0 : nil, backoff: mayBeOwned ? 1_000_000 : 0)
    }

    var isMirrored: Bool {
      switch ownership {
      case .owned: false
      case .mirrored: true
      }
    }
  }

  init(
    _ descriptor: consuming FileDescriptor, identity: FileIdentity, isWritable: Bool,
    metrics: Metrics,
    account: QuotaAccount? = nil
  ) {
    self.account = account
    isLocal = descriptor.fileSystemKind().isLocal
    self.descriptor = descriptor
    self.identity = identity
    self.isWritable = isWritable
    self.metrics = metrics
    state = FutexLock(State(mayBeOwned: isLocal))
  }

  var descriptorNumber: Int32 { descriptor.rawValue }

  /// Remembers that a session of this reactor has it open.
  func noteUse(byReactor number: Int) {
    users.bitwiseOr(1 << UInt64(min(number, 63)), ordering: .sequentiallyConsistent)
  }

  func isUsed(byReactor number: Int) -> Bool {
    users.load(ordering: .sequentiallyConsistent) & 1 << UInt64(min(number, 63)) != 0
  }

  // MARK: Content

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(FileError) -> Int {
    do throws(FileError) {
      return try unsafe readOnce(into: buffer, at: offset)
    } catch {
      // A database is looked into before its first lock.
      guard isDoubtful, renewIfUnused() else { throw error }
      return try unsafe readOnce(into: buffer, at: offset)
    }
  }

  private func readOnce(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int64
  ) throws(FileError) -> Int {
    try onDescription { () throws(Errno) in
      let count = try window.withLock { (window: inout ReadWindow?) throws(Errno) -> Int? in
        guard let window else { return nil }
        return try unsafe window.read(into: buffer, at: offset, from: self.descriptor)
      }
      if let count { return count }
      return try unsafe descriptor.read(into: buffer, at: offset)
    }
  }

  func write(_ buffer: UnsafeRawBufferPointer, at offset: Int64) throws(FileError) {
    if let account {
      try system { () throws(Errno) in
        try account.reserve(offset.addingReportingOverflow(Int64(buffer.count)).partialValue)
      }
    }
    try onDescription { () throws(Errno) in
      try window.withLock { (window) throws(Errno) in
        guard let window else { return try unsafe self.descriptor.write(buffer, at: offset) }
        try unsafe window.write(buffer, at: offset, to: self.descriptor)
      }
    }
  }

  func truncate(toByteCount byteCount: Int64) throws(FileError) {
    try changeSize { () throws(Errno) in try descriptor.truncate(toByteCount: byteCount) }
  }

  /// Makes the file at least so large, with its space reserved where the file system can do that.
  func allocate(byteCount: Int64) throws(FileError) {
    try changeSize { () throws(Errno) in
      guard try descriptor.status().byteCount < byteCount else { return }
      try account?.reserve(byteCount)
      try descriptor.allocate(byteCount: byteCount)
    }
  }

  private func noteSize(_ window: ReadWindow?) {
    guard window != nil || account != nil, let status = try? descriptor.status() else { return }
    window?.note(fileByteCount: status.byteCount)
    account?.settle(status.byteCount)
  }

  private func changeSize(_ body: () throws(Errno) -> Void) throws(FileError) {
    try onDescription { () throws(Errno) in
      try window.withLock { (window) throws(Errno) in
        defer { self.noteSize(window) }
        try body()
      }
    }
  }

  /// Nobody has it open any more: without a name it is no more.
  func noteEnd() {
    if !isLocal { _ = try? descriptor.setLock(.none, start: 0, byteCount: 0) }
    guard let account, let status = try? descriptor.status() else { return }
    account.settle(status.linkCount == 0 ? 0 : status.byteCount)
  }

  func synchronize() throws(FileError) {
    try onDescription { () throws(Errno) in try descriptor.synchronizeData() }
  }

  /// The read window, see SharedFile+Window.
  let window = FutexLock<ReadWindow?>(nil)

  func status() throws(FileError) -> FileStatus {
    try onDescription { () throws(Errno) in try descriptor.status() }
  }

  // MARK: Locks, under `state`

  /// SQLite's lock bytes, from its os.h: a PENDING byte, a RESERVED byte and 510 SHARED bytes, all
  /// beyond the page that a database never uses.
  enum LockByte {
    static let pending: Int64 = 0x4000_0000
    static let reserved = pending + 1
    static let shared = pending + 2
    static let sharedByteCount: Int64 = 510
  }

  /// Raises what `holder` holds to `level`, or throws that somebody is in the way; then it may still
  /// have risen to PENDING, as SQLite expects of a writer that waits for readers.
  ///
  /// A holder of nothing may take SHARED; RESERVED and EXCLUSIVE need SHARED; PENDING is never
  /// asked for. Two holders above SHARED cannot be, so of two readers that want to write the second
  /// is refused at once.
  func lock(_ holder: LockHolder, to level: LockLevel, now: Int64) throws(FileError) {
    guard level != .pending, level != .none else { throw .misuse }
    try state.withLock { (state) throws(FileError) in
      guard level == .shared || holder.level >= .shared else { throw .misuse }
      if holder.level < level { try self.raise(holder, to: level, &state, now: now) }
      if level == .shared, holder.level == .shared, state.writerLevel < .pending {
        self.letStand(.file, of: holder, .shared, &state)
      }
    }
  }

  private func raise(
    _ holder: LockHolder, to level: LockLevel, _ state: inout State, now: Int64
  ) throws(FileError) {
    if let writer = state.writer, writer != holder.id,
      state.writerLevel >= .pending || level > .shared
    {
      throw .busy
    }
    if level > .shared {
      if state.writer == nil, !state.lineAdmits(holder.id) { throw .busyInLine }
      endStanding(.file, of: holder, &state)
    }
    switch level {
    case .none, .pending: return
    case .shared:
      own(&state, now: now)
      try lockSharedOnGoodDescription(holder, state)
      state.sharedCount += 1
    case .reserved:
      try mirror(state, .exclusive, LockByte.reserved, 1)
      state.writer = holder.id
      state.writerLevel = .reserved
      state.writerIsReserved = true
      state.turnWasTaken(by: holder.id)
    case .exclusive:
      try lockExclusive(holder, &state)
    }
    holder.level = level
  }

  /// Where the description has gone bad, and no lock relies on it, a new one is asked.
  private func lockSharedOnGoodDescription(
    _ holder: LockHolder, _ state: State
  ) throws(FileError) {
    if isDoubtful {
      try renew(state)
      holder.lossCount = lossCount
      return try lockShared(state)
    }
    do throws(FileError) {
      try lockShared(state)
    } catch {
      guard isDoubtful, state.sharedCount == 0 else { throw error }
      try renew(state)
      holder.lossCount = lossCount
      try lockShared(state)
    }
  }

  /// A new reader looks at the PENDING byte even if we hold SHARED on the file already, so that an
  /// outside writer that waits for readers to go is not starved by ours.
  private func lockShared(_ state: State) throws(FileError) {
    guard state.isMirrored else { return }
    try mirror(state, .shared, LockByte.pending, 1)
    defer { try? unlock(LockByte.pending, 1) }
    if state.sharedCount == 0 {
      try mirror(state, .shared, LockByte.shared, LockByte.sharedByteCount)
    }
  }

  private func lockExclusive(_ holder: LockHolder, _ state: inout State) throws(FileError) {
    if holder.level < .pending {
      try mirror(state, .exclusive, LockByte.pending, 1)
      if state.writer == nil { state.turnWasTaken(by: holder.id) }
      state.writer = holder.id
      state.writerLevel = .pending
      holder.level = .pending
      state.writerIsPending()
    }
    takeBack(.file, besides: holder, &state)
    guard state.sharedCount == 1 else {
      let standsInUse = state.standers.contains { $0 !== holder && $0.stands(.file) }
      throw standsInUse ? .readersYet : .busyPending
    }
    try mirror(state, .exclusive, LockByte.shared, LockByte.sharedByteCount)
    state.writerLevel = .exclusive
  }

  /// Lowers what `holder` holds to SHARED or nothing; gives what it had. After a write SHARED may
  /// stand instead of nothing.
  @discardableResult
  func unlock(
    _ holder: LockHolder, to level: LockLevel, mayStand: Bool = true
  ) throws(FileError) -> LockLevel {
    guard level <= .shared else { throw .misuse }
    return try state.withLock { (state) throws(FileError) in
      let was = holder.level
      guard was > level else { return was }
      let isWriter = state.writer == holder.id
      if isWriter {
        state.writer = nil
        state.writerLevel = .none
        state.writerIsReserved = false
      }
      self.endStanding(.file, of: holder, &state)
      // Behind a writer nobody waits for the readers to go.
      let stands = mayStand && isWriter && self.mayStand(holder, state)
      if level == .none, !stands {
        holder.level = .none
        state.sharedCount -= 1
      } else {
        holder.level = .shared
        self.letStand(.file, of: holder, level == .shared ? .shared : .none, &state)
      }
      precondition(state.sharedCount >= 0, "nobody unlocks what he does not hold")
      state.lockWasReleased(by: holder.id, isTurn: isWriter)
      if state.isMirrored { try self.takeOffFile(from: was, isWriter: isWriter, state) }
      return was
    }
  }

  private func takeOffFile(
    from level: LockLevel, isWriter: Bool, _ state: State
  ) throws(FileError) {
    if state.sharedCount == 0 {
      try unlock(0, 0)
    } else if isWriter {
      if level == .exclusive {
        try mirror(state, .shared, LockByte.shared, LockByte.sharedByteCount)
      }
      try unlock(LockByte.pending, 2)
    }
  }

  /// Gives back every lock of a handle that goes; what cannot be told to anybody is not told.
  func dropLocks(of holder: LockHolder) {
    state.withLock { state in self.endStanding(.all, of: holder, &state) }
    _ = try? unmapWALIndex(holder, deletes: false)
    _ = try? unlock(holder, to: .none, mayStand: false)
    leaveLine(holder.id)
  }

  func holdsAnything(_ holder: LockHolder) -> Bool {
    state.withLock { _ in holder.level > .none }
  }

  /// Whether anybody, here or outside, holds RESERVED, or more that he came to from there. Not who
  /// goes from SHARED straight to EXCLUSIVE, to roll back a hot journal: another reader who took him
  /// for the journal's living writer would read what is to be rolled back, and then write on it.
  func isReserved() throws(FileError) -> Bool {
    try state.withLock { (state) throws(FileError) in
      if state.writerIsReserved { return true }
      guard state.isMirrored else { return false }
      return try self.isBlocked(.exclusive, LockByte.reserved, 1)
    }
  }

  /// Puts a lock on the file, if locks have to stand there at all.
  private func mirror(
    _ state: State, _ lock: ByteRangeLock, _ start: Int64, _ byteCount: Int64
  ) throws(FileError) {
    guard state.isMirrored else { return }
    let isPlaced = try onDescription { () throws(Errno) in
      try descriptor.setLock(lock, start: start, byteCount: byteCount)
    }
    if isPlaced { return }
    let isPending = start == LockByte.shared && lock == .exclusive
    // Where the holder may be on another host, it is not asked who that is.
    if !isLocal { throw isPending ? .busyPending : .busy }
    let blocker = try system { () throws(Errno) in
      try descriptor.blocker(of: lock, start: start, byteCount: byteCount)
    }
    // A lock that is gone by now was perhaps that of a dying client's sidecar.
    let isSidecars = blocker?.isDescription ?? true
    if isPending { throw isSidecars ? .busyPendingPerhaps : .busyPending }
    throw isSidecars ? .busyPerhaps : .busy
  }

  /// Whether somebody outside is in the way of such a lock; where that cannot be learned somebody is.
  func blocks(
    _ lock: ByteRangeLock, _ start: Int64, _ byteCount: Int64
  ) throws(FileError) -> Bool {
    if isLocal { return try isBlocked(lock, start, byteCount) }
    return (try? isBlocked(lock, start, byteCount)) ?? true
  }

  private func unlock(_ start: Int64, _ byteCount: Int64) throws(FileError) {
    _ = try onDescription { () throws(Errno) in
      try descriptor.setLock(.none, start: start, byteCount: byteCount)
    }
  }

  // MARK: The lease, under `state`

  /// A pause of the sidecar that is longer than this makes its leases doubtful: the system takes
  /// them away after /proc/sys/fs/lease-break-time seconds without an answer, 45 by default.
  private static let trustNanoseconds: Int64 = 5_000_000_000

  /// Tries to make the file ours alone, if it is not and was not tried just now. Locks that stand
  /// on the file are taken off: while we own it they are in the way of nobody.
  func own(_ state: inout State, now: Int64) {
    guard case .mirrored(let retryAt, let backoff) = state.ownership, let retryAt, now >= retryAt
    else { return }
    do throws(Errno) {
      try descriptor.takeLease()
      state.ownership = .owned
      _ = try descriptor.setLock(.none, start: 0, byteCount: 0)
      if let index = state.walIndex {
        _ = try index.descriptor.setLock(.none, start: 0, byteCount: 0)
      }
      metrics.leaseTaken()
      if let byteCount = try? descriptor.status().byteCount {
        withWindow { $0.begin(fileByteCount: byteCount) }
      }
    } catch .again where state.isMirrored {
      // Somebody else has it open. Ask again later, less and less often.
      state.ownership = .mirrored(
        retryAt: now + backoff, backoff: min(backoff * 2, 1_000_000_000))
    } catch {
      // Not our file, or a file system without leases.
      let hasLease = !state.isMirrored
      state.ownership = .mirrored(retryAt: nil, backoff: 0)
      guard hasLease else { return }
      // Locks that cannot be taken off it. Nobody may wait for the lease in vain.
      try? putLocks(state)
      try? descriptor.giveBackLease()
    }
  }

  /// An outsider's open stands waiting: put our locks on the file, then let it go on. Harmless when
  /// there is nothing to answer.
  func answerLeaseBreak() {
    state.withLock { state in
      guard case .owned = state.ownership else { return }
      if let isWhole = try? descriptor.leaseIsWhole(), isWhole { return }
      disown(&state)
    }
  }

  private func disown(_ state: inout State) {
    // First of all: from here on others change the file.
    withWindow { $0.end() }
    takeBack(.all, besides: nil, &state)
    let retryAt = Clock.coarseNanoseconds() + 100_000_000
    state.ownership = .mirrored(retryAt: retryAt, backoff: 100_000_000)
    metrics.leaseBroken()
    do throws(FileError) {
      try putLocks(state)
      try system { () throws(Errno) in try descriptor.giveBackLease() }
      return
    } catch {
      // The lease was gone before we answered: somebody may have been at the file meanwhile. Or the
      // locks cannot be placed, which must not happen while we own the file.
    }
    try? descriptor.giveBackLease()
    if state.sharedCount > 0 || state.walIndex != nil {
      losses.wrappingAdd(1, ordering: .releasing)
    }
  }

  private func putLocks(_ state: State) throws(FileError) {
    if let index = state.walIndex { try index.putLocks() }
    guard state.sharedCount > 0 else { return }
    let isExclusive = state.writerLevel == .exclusive
    try mirror(
      state, isExclusive ? .exclusive : .shared, LockByte.shared, LockByte.sharedByteCount)
    if state.writerLevel >= .pending { try mirror(state, .exclusive, LockByte.pending, 1) }
    if state.writerIsReserved { try mirror(state, .exclusive, LockByte.reserved, 1) }
  }

  /// How many losses of locks there have been; with `now`, looks for one more if the sidecar may
  /// have stood still.
  @inline(__always)
  func lossCount(now: Int64) -> UInt32 {
    if now - lastTrusted.load(ordering: .relaxed) > SharedFile.trustNanoseconds {
      verifyLease(now: now)
    }
    return lossCount
  }

  var lossCount: UInt32 { losses.load(ordering: .acquiring) }

  private let lastTrusted = Atomic<Int64>(0)

  @inline(never)
  private func verifyLease(now: Int64) {
    lastTrusted.store(now, ordering: .relaxed)
    answerLeaseBreak()
  }
}
