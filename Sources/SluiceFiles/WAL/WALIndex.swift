// A database's `-shm` file: the index of its WAL, mapped by every client, and its eight locks.
// There is one for each SharedFile, and all of it is under that file's lock.
//
// The lock bytes are those of SQLite's unix VFS (UNIX_SHM_BASE and UNIX_SHM_DMS in os_unix.c): 120
// to 127 for the eight locks, 128 for the dead-man switch. Every user of the file holds a shared
// lock on the switch. A user that finds the switch free is the first and empties the file, because
// the remains of a crash are not to be trusted. Like all locks they stand on the file only while
// others may have the database open.

internal import SluiceSystem
internal import SluiceWire

final class WALIndex {
  static let firstLockByte: Int64 = 120
  static let deadManSwitch: Int64 = 128

  let descriptor: FileDescriptor
  let identity: FileIdentity
  let location: Location
  let isReadOnly: Bool
  /// Whether the file has been emptied since it was last used, by us or by another user that we may
  /// trust.
  private(set) var isSetUp = false
  /// How many handles use it.
  var userCount = 0
  /// Its locks, as our clients hold them.
  var locks = WALLocks()
  /// For each lock: the client's view on which it stands. See WALIndex+LastingLocks.
  var views = [SharedDescriptor?](repeating: nil, count: WALLocks.lockCount)

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

  /// How many frames the WAL has; 0 if that cannot be read. Clients write this, so it is a hint.
  var frameCount: UInt32 {
    var count: UInt32 = 0
    // `mxFrame` of the header (the Wal-Index Format of SQLite).
    let byteCount = try? unsafe withUnsafeMutableBytes(of: &count) { (bytes) throws(Errno) in
      try unsafe descriptor.read(into: bytes, at: 16)
    }
    return byteCount == MemoryLayout<UInt32>.size ? count : 0
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
  /// that stand on the first, or to keep them when we are gone. Only its lasting locks it keeps.
  func openView() throws(Errno) -> FileDescriptor {
    do throws(Errno) {
      return try openAnew(descriptor, at: location, isReadOnly ? [.readOnly] : [.readWrite])
    } catch .accessDenied where !isReadOnly {
      return try openViewOfSealedFile()
    }
  }

  /// A database that nobody may write has such an index too. The process that made the index has it
  /// open for writing, and needs the permission anew for a second description.
  private func openViewOfSealedFile() throws(Errno) -> FileDescriptor {
    let permissions = try descriptor.status().permissions
    try descriptor.setPermissions(permissions | 0o600)
    defer { _ = try? descriptor.setPermissions(permissions) }
    return try openAnew(descriptor, at: location, [.readWrite])
  }

  /// Sets the file up, unless a user that still has it open did so. A reader cannot set it up.
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
      // The holder of an exclusive lock is emptying the file. If it dies before it has, we must
      // empty it.
      if blocker.isExclusive { throw blocker.isDescription ? .busyPerhaps : .busy }
    }
    if isMirrored { try lock(.shared, at: Self.deadManSwitch) }
    isSetUp = true
  }

  /// Three bytes are what SQLite's unix VFS leaves: an index in use has more, one never used none.
  private func empty() throws(FileError) {
    try system { () throws(Errno) in try descriptor.truncate(toByteCount: 3) }
  }

  /// SQLite asks for 32 KiB after 32 KiB. No request grows the file by more than this.
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
