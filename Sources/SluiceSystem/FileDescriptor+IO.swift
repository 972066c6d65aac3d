// Reading, writing and measuring a file. Positions and counts are in bytes. Every call may block on
// the disk.

internal import CSluice

/// The part of `fstat`'s answer that Sluice uses.
public struct FileStatus: Sendable {
  public var device: UInt64
  public var inode: UInt64
  public var mode: UInt32
  public var owner: UInt32
  public var group: UInt32
  public var linkCount: UInt64
  public var byteCount: Int64

  public var isRegular: Bool { mode & UInt32(S_IFMT) == UInt32(S_IFREG) }
  public var isDirectory: Bool { mode & UInt32(S_IFMT) == UInt32(S_IFDIR) }
  public var isSymbolicLink: Bool { mode & UInt32(S_IFMT) == UInt32(S_IFLNK) }
  public var isSocket: Bool { mode & UInt32(S_IFMT) == UInt32(S_IFSOCK) }
  public var permissions: UInt32 { mode & 0o7777 }

  init(_ status: stat) {
    device = UInt64(status.st_dev)
    inode = UInt64(status.st_ino)
    mode = status.st_mode
    owner = status.st_uid
    group = status.st_gid
    linkCount = UInt64(status.st_nlink)
    byteCount = Int64(status.st_size)
  }
}

extension FileDescriptor {
  /// Reads up to `buffer.count` bytes at `offset`; fewer at the end of the file.
  public borrowing func read(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int64
  ) throws(Errno) -> Int {
    var done = 0
    while done < buffer.count {
      let count = try unsafe check(
        sluice_pread(
          rawValue, buffer.baseAddress! + done, buffer.count - done, offset + Int64(done)))
      if count == 0 { break }
      done += Int(count)
    }
    return done
  }

  /// Writes the whole of `buffer` at `offset`.
  public borrowing func write(_ buffer: UnsafeRawBufferPointer, at offset: Int64) throws(Errno) {
    var done = 0
    while done < buffer.count {
      let count = try unsafe check(
        sluice_pwrite(
          rawValue, buffer.baseAddress! + done, buffer.count - done, offset + Int64(done)))
      // A write of zero bytes without an error would repeat without end.
      if count == 0 { throw .noSpace }
      done += Int(count)
    }
  }

  public borrowing func truncate(toByteCount byteCount: Int64) throws(Errno) {
    _ = try check(sluice_ftruncate(rawValue, byteCount))
  }

  /// Makes the file this large and reserves its space. If the file system cannot reserve space,
  /// this only makes the file this large.
  public borrowing func allocate(byteCount: Int64) throws(Errno) {
    let result = sluice_fallocate(rawValue, byteCount)
    if result == -EOPNOTSUPP { return try truncate(toByteCount: byteCount) }
    _ = try check(result)
  }

  /// Makes the file's content and size durable, but not its times.
  public borrowing func synchronizeData() throws(Errno) {
    _ = try check(sluice_fdatasync(rawValue))
  }

  /// Makes the whole file durable; for a directory, its entries.
  public borrowing func synchronize() throws(Errno) { _ = try check(sluice_fsync(rawValue)) }

  public borrowing func status() throws(Errno) -> FileStatus {
    var status = stat()
    _ = try unsafe check(sluice_fstat(rawValue, &status))
    return FileStatus(status)
  }

  public borrowing func setOwner(user: UInt32, group: UInt32) throws(Errno) {
    _ = try check(sluice_fchown(rawValue, user, group))
  }

  public borrowing func setPermissions(_ permissions: UInt32) throws(Errno) {
    _ = try check(sluice_fchmod(rawValue, permissions))
  }
}
