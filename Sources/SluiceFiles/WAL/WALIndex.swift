// A database's `-shm` file: the index of its WAL, mapped by every client, and its eight locks.
// There is one for each SharedFile, and all of it is under that file's lock.
//
// The lock bytes are those of SQLite's unix VFS (UNIX_SHM_BASE and UNIX_SHM_DMS in os_unix.c): 120
// to 127 for the eight locks, 128 for the dead-man switch, on which everybody who uses the file
// holds a shared lock. Who finds the switch free is the first and empties the file, for what a
// crash left in it is not to be trusted. Like all locks they stand on the file only while somebody
// else may have the database open.

internal import SluiceChannel
internal import SluiceSystem
internal import SluiceWire

final class WALIndex {
  static let firstLockByte: Int64 = 120
  static let lockCount = 8
  static let deadManSwitch: Int64 = 128

  let descriptor: FileDescriptor
  let identity: FileIdentity
  let location: Location
  let isReadOnly: Bool
  /// Whether somebody whom we may trust has emptied the file since it was last used.
  private(set) var isSetUp = false
  /// How many handles use it.
  var userCount = 0
  /// For each lock: how many hold it shared, or -1 for one that holds it exclusively.
  var holders = [Int](repeating: 0, count: lockCount)

  init(
    _ descriptor: consuming FileDescriptor, location: Location, isReadOnly: Bool
  ) throws(FileError) {
    let status: FileStatus
    do throws(Errno) { status = try descriptor.status() } catch { throw .system(error) }
    identity = FileIdentity(status)
    self.descriptor = descriptor
    self.location = location
    self.isReadOnly = isReadOnly
  }

  /// Opens the `-shm` file at `place`, for writing where that is wanted and allowed, and creates it
  /// unless its first user only wants to read.
  static func open(
    _ place: Location, creates: Bool, forWriting: Bool, like model: FileStatus
  ) throws(FileError) -> WALIndex {
    if forWriting {
      do throws(FileError) {
        let descriptor = try openForWriting(place, creates: creates, like: model)
        return try WALIndex(descriptor, location: place, isReadOnly: false)
      } catch .system(.accessDenied), .system(.readOnlyFileSystem), .system(.notPermitted) {
        // Perhaps it may be read.
      }
    }
    let descriptor = try system { () throws(Errno) in
      try unsafe FileDescriptor.open(
        place.name, in: place.directory.descriptor.rawValue,
        [.readOnly, .noFollow, .nonBlocking])
    }
    return try WALIndex(descriptor, location: place, isReadOnly: true)
  }

  /// Whether there is an index that can be opened for writing.
  static func mayBeWritten(_ place: borrowing Location) -> Bool {
    let descriptor = try? unsafe FileDescriptor.open(
      place.name, in: place.directory.descriptor.rawValue, [.readWrite, .noFollow, .nonBlocking])
    return descriptor != nil
  }

  private static func openForWriting(
    _ place: Location, creates: Bool, like model: FileStatus
  ) throws(FileError) -> FileDescriptor {
    let creation: OpenFlags = creates ? .create : []
    return try system { () throws(Errno) in
      let descriptor = try unsafe FileDescriptor.open(
        place.name, in: place.directory.descriptor.rawValue,
        creation.union([.readWrite, .noFollow, .nonBlocking]),
        permissions: creates ? model.permissions & 0o777 : 0)
      let status = try descriptor.status()
      if creates, status.byteCount == 0 { resemble(model, descriptor, status) }
      return descriptor
    }
  }

  /// A second description of the file, for a client to map: it must not be able to touch the locks
  /// that stand on the first, or to keep them when we are gone.
  func openView() throws(Errno) -> FileDescriptor {
    try openAnew(descriptor, at: location, isReadOnly ? [.readOnly] : [.readWrite])
  }

  /// Makes sure that the file was set up by somebody who still uses it, or sets it up. A reader
  /// cannot set it up.
  func setUp(forReading: Bool, isMirrored: Bool) throws(FileError) {
    if isSetUp { return }
    let isForReading = forReading || isReadOnly
    // While we own the database, nobody else has it open, so nobody else uses its index.
    let blocker = isMirrored ? try self.blocker(of: .exclusive, at: Self.deadManSwitch) : nil
    switch blocker {
    case nil:
      if isForReading { throw .walIndexNotSetUp }
      if isMirrored { try lock(.exclusive, at: Self.deadManSwitch) }
      try empty()
    case .some(let blocker):
      // Who holds it exclusively is emptying the file; had he died before he did, we must.
      if blocker.isExclusive { throw blocker.isDescription ? .busyPerhaps : .busy }
    }
    if isMirrored { try lock(.shared, at: Self.deadManSwitch) }
    isSetUp = true
  }

  /// Three bytes are what SQLite's unix VFS leaves: an index in use has more, one never used none.
  private func empty() throws(FileError) {
    try system { () throws(Errno) in try descriptor.truncate(toByteCount: 3) }
  }

  private func blocker(of lock: ByteRangeLock, at byte: Int64) throws(FileError) -> LockBlocker? {
    try system { () throws(Errno) in
      try descriptor.blocker(of: lock, start: byte, byteCount: 1)
    }
  }

  /// Places a lock on the file, or throws that somebody is in the way.
  func lock(_ lock: ByteRangeLock, at byte: Int64, count: Int = 1) throws(FileError) {
    if try isPlaced(lock, at: byte, count: count) { return }
    let blocker = try system { () throws(Errno) in
      try descriptor.blocker(of: lock, start: byte, byteCount: Int64(count))
    }
    // A lock that is gone by now was perhaps that of a dying client's sidecar.
    throw blocker?.isDescription ?? true ? .busyPerhaps : .busy
  }

  private func isPlaced(
    _ lock: ByteRangeLock, at byte: Int64, count: Int = 1
  ) throws(FileError) -> Bool {
    try system { () throws(Errno) in
      try descriptor.setLock(lock, start: byte, byteCount: Int64(count))
    }
  }

  /// Puts on the file all that is held here.
  func putLocks() throws(FileError) {
    guard isSetUp else { return }
    try lock(.shared, at: Self.deadManSwitch)
    for (index, count) in holders.enumerated() where count != 0 {
      try lock(count < 0 ? .exclusive : .shared, at: Self.firstLockByte + Int64(index))
    }
  }

  /// SQLite asks for 32 KiB after 32 KiB; nobody grows the file by more than this at a time.
  static let growthByteCountMaximum: Int64 = 1 << 20

  /// The file's size after it was extended to `byteCount`, whole pages of 4 KiB, if `extends`. Each
  /// page exists then, so that touching the mapping cannot fail for want of space.
  func byteCount(extendingTo byteCount: Int64, extends: Bool) throws(FileError) -> Int64 {
    let present = try system { () throws(Errno) in try descriptor.status().byteCount }
    guard present < byteCount, extends else { return present }
    guard byteCount % 4096 == 0, byteCount - present <= Self.growthByteCountMaximum else {
      throw .misuse
    }
    var zero: UInt8 = 0
    try system { () throws(Errno) in
      for page in (present / 4096)..<(byteCount / 4096) {
        try unsafe withUnsafeBytes(of: &zero) { (bytes) throws(Errno) in
          try unsafe descriptor.write(bytes, at: page * 4096 + 4095)
        }
      }
    }
    return byteCount
  }
}

// MARK: Its locks

extension WALIndex {
  static let readLocks = 3..<lockCount
  static let writeLock = set(0..<1)

  static func set(_ locks: Range<Int>) -> LockSet {
    .walIndex(UInt8(truncatingIfNeeded: (1 << locks.count - 1) << locks.lowerBound))
  }

  /// Makes locks that `holder` has his alone, where nobody else has them; gives those that are.
  func keepAlone(_ bits: UInt8, of holder: LockHolder) -> LockSet {
    guard var held = holder.walIndex else { return [] }
    var alone = LockSet()
    for lock in 0..<Self.lockCount where bits >> lock & 1 == 1 {
      let bit = UInt8(1) << lock
      if held.shared & bit != 0, holders[lock] == 1 {
        held.shared &= ~bit
        held.exclusive |= bit
        holders[lock] = -1
      }
      if held.exclusive & bit != 0 { alone.insert(.walIndex(bit)) }
    }
    holder.walIndex = held
    return alone
  }

  /// What `holder` had alone he shares from now on.
  func share(_ bits: UInt8, of holder: LockHolder) {
    guard var held = holder.walIndex else { return }
    for lock in 0..<Self.lockCount where (held.exclusive & bits) >> lock & 1 == 1 {
      held.exclusive &= ~(UInt8(1) << lock)
      held.shared |= UInt8(1) << lock
      holders[lock] = 1
    }
    holder.walIndex = held
  }

  func areHeldAlone(_ locks: Range<Int>) -> Bool { locks.contains { holders[$0] < 0 } }

  /// Counts locks out that no file has to know of.
  func release(_ bits: UInt8, of holder: LockHolder) {
    guard var held = holder.walIndex else { return }
    for lock in 0..<Self.lockCount where bits >> lock & 1 == 1 { release(lock, &held) }
    holder.walIndex = held
  }

  /// Whether it was held at all.
  @discardableResult
  private func release(_ lock: Int, _ held: inout WALIndexMembership) -> Bool {
    let bit = UInt8(1) << lock
    if held.exclusive & bit != 0 {
      holders[lock] = 0
    } else if held.shared & bit != 0 {
      holders[lock] -= 1
    } else {
      return false
    }
    held.exclusive &= ~bit
    held.shared &= ~bit
    return true
  }

  func unlock(
    _ locks: Range<Int>, of holder: LockHolder, isMirrored: Bool
  ) throws(FileError) {
    guard var held = holder.walIndex else { return }
    defer { holder.walIndex = held }
    for lock in locks where release(lock, &held) {
      if isMirrored, holders[lock] == 0 {
        try self.lock(.none, at: Self.firstLockByte + Int64(lock))
      }
    }
  }

  func lockShared(
    _ locks: Range<Int>, by holder: LockHolder, isMirrored: Bool
  ) throws(FileError) {
    guard var held = holder.walIndex else { throw .misuse }
    defer { holder.walIndex = held }
    for lock in locks where holders[lock] < 0 { throw .busy }
    for lock in locks {
      let bit = UInt8(1) << lock
      if held.shared & bit != 0 { continue }
      if isMirrored, holders[lock] == 0 {
        try self.lock(.shared, at: Self.firstLockByte + Int64(lock))
      }
      holders[lock] += 1
      held.shared |= bit
    }
  }

  /// All of them or none.
  func lockExclusive(
    _ locks: Range<Int>, by holder: LockHolder, isMirrored: Bool
  ) throws(FileError) {
    guard let held = holder.walIndex else { throw .misuse }
    for lock in locks where held.exclusive >> lock & 1 == 0 && holders[lock] != 0 {
      throw .busy
    }
    if isMirrored {
      let start = Self.firstLockByte + Int64(locks.lowerBound)
      try self.lock(.exclusive, at: start, count: locks.count)
    }
    for lock in locks {
      holders[lock] = -1
      holder.walIndex!.exclusive |= UInt8(1) << lock
    }
  }
}

/// What one handle holds of a WAL index: a bit for each lock.
struct WALIndexMembership {
  var shared: UInt8 = 0
  var exclusive: UInt8 = 0

  func holds(_ lock: Int) -> Bool { (shared | exclusive) >> lock & 1 == 1 }
}
