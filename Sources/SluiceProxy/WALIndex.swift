// A database's `-shm` file: the index of its WAL, mapped by every client, and its eight locks.
// There is one for each SharedFile, and all of it is under that file's lock.
//
// The lock bytes are those of SQLite's unix VFS (UNIX_SHM_BASE and UNIX_SHM_DMS in os_unix.c): 120
// to 127 for the eight locks, 128 for the dead-man switch, on which everybody who uses the file
// holds a shared lock. Who finds the switch free is the first and empties the file, for what a
// crash left in it is not to be trusted. Like all locks they stand on the file only while somebody
// else may have the database open.

internal import SluiceSystem
internal import SluiceWire

final class WALIndex {
  static let firstLockByte: Int64 = 120
  static let lockCount = 8
  static let deadManSwitch: Int64 = 128

  let descriptor: FileDescriptor
  let location: Location
  let isReadOnly: Bool
  /// How many handles use it.
  var userCount = 0
  /// For each lock: how many hold it shared, or -1 for one that holds it exclusively.
  var holders = [Int](repeating: 0, count: lockCount)

  init(_ descriptor: consuming FileDescriptor, location: Location, isReadOnly: Bool) {
    self.descriptor = descriptor
    self.location = location
    self.isReadOnly = isReadOnly
  }

  /// Opens or creates the `-shm` file beside the database at `location`.
  static func open(
    besideDatabase location: Location, readOnly: Bool, like model: FileStatus
  ) throws(FileError) -> WALIndex {
    let name = location.name.dropLast() + cString("-shm")
    let place = Location(directory: location.directory, name: Array(name))
    if !readOnly {
      do throws(FileError) {
        return WALIndex(try create(place, like: model), location: place, isReadOnly: false)
      } catch {
        // Perhaps it is there, and readable.
      }
    }
    let descriptor = try system { () throws(Errno) in
      try unsafe FileDescriptor.open(
        place.name, in: place.directory.descriptor.rawValue,
        [.readOnly, .noFollow, .nonBlocking])
    }
    return WALIndex(descriptor, location: place, isReadOnly: true)
  }

  private static func create(
    _ place: Location, like model: FileStatus
  ) throws(FileError) -> FileDescriptor {
    try system { () throws(Errno) in
      let descriptor = try unsafe FileDescriptor.open(
        place.name, in: place.directory.descriptor.rawValue,
        [.readWrite, .create, .noFollow, .nonBlocking], permissions: model.permissions & 0o777)
      if processIdentity().user == 0 {
        _ = try? descriptor.setOwner(user: model.owner, group: model.group)
      }
      return descriptor
    }
  }

  /// Makes sure that somebody who trusts the file has set it up. Nobody here uses it yet.
  func join(isMirrored: Bool) throws(FileError) {
    if !isMirrored {
      // Nobody else has the database open, so nobody else uses its index.
      if isReadOnly { throw .walIndexNotSetUp }
      try empty()
      return
    }
    if isReadOnly {
      let isUsed = try system { () throws(Errno) in
        try descriptor.isLockBlocked(.exclusive, start: Self.deadManSwitch, byteCount: 1)
      }
      if !isUsed { throw .walIndexNotSetUp }
    } else if try isPlaced(.exclusive, at: Self.deadManSwitch) {
      try empty()
    }
    // Refused while another process is emptying it.
    try lock(.shared, at: Self.deadManSwitch)
  }

  /// Three bytes are what the unix VFS leaves: not zero, which some systems treat in a special way.
  private func empty() throws(FileError) {
    try system { () throws(Errno) in try descriptor.truncate(toByteCount: 3) }
  }

  /// Places a lock on the file, or throws that somebody is in the way.
  func lock(_ lock: ByteRangeLock, at byte: Int64, count: Int = 1) throws(FileError) {
    if try isPlaced(lock, at: byte, count: count) { return }
    let isSidecars = try system { () throws(Errno) in
      try descriptor.isLockBlockedByDescription(lock, start: byte, byteCount: Int64(count))
    }
    throw isSidecars ? .busyPerhaps(holdsPending: false) : .busy
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
    guard userCount > 0 else { return }
    try lock(.shared, at: Self.deadManSwitch)
    for (index, count) in holders.enumerated() where count != 0 {
      try lock(count < 0 ? .exclusive : .shared, at: Self.firstLockByte + Int64(index))
    }
  }

  /// The file's size after it was extended to `byteCount`, if `extends`; each page of it exists
  /// then, so that touching the mapping cannot fail for want of space.
  func byteCount(extendingTo byteCount: Int64, extends: Bool) throws(FileError) -> Int64 {
    try system { () throws(Errno) in
      let present = try descriptor.status().byteCount
      guard present < byteCount, extends else { return present }
      var zero: UInt8 = 0
      for page in (present / 4096)..<(byteCount / 4096) {
        try unsafe withUnsafeBytes(of: &zero) { (bytes) throws(Errno) in
          try unsafe descriptor.write(bytes, at: page * 4096 + 4095)
        }
      }
      return byteCount
    }
  }
}

/// What one handle holds of a WAL index: a bit for each lock.
struct WALIndexMembership {
  var shared: UInt8 = 0
  var exclusive: UInt8 = 0
}
