// Where an open file comes from: the file system that it is on, and what tells it from another file
// that had, or will have, the same device and inode number. What each of these is worth depends on
// the file system; nothing here decides that.

internal import CSluice

/// Which file system a file is on.
public struct FileSystemNumbers: Sendable {
  /// Its kind, as `statfs(2)` names it.
  public var magic: UInt32
  /// Which of its kind, as far as it says: 0 where it says nothing.
  public var which: UInt64
}

/// When a file was made.
public struct BirthTime: Equatable, Sendable {
  public var seconds: Int64
  public var nanoseconds: UInt32
}

extension FileDescriptor {
  public borrowing func fileSystem() throws(Errno) -> FileSystemNumbers {
    var numbers = FileSystemNumbers(magic: 0, which: 0)
    _ = try unsafe check(sluice_file_system(rawValue, &numbers.magic, &numbers.which))
    return numbers
  }

  /// The kernel's handle of the file, its type before it; nil where there is none. One that is only a
  /// name opens no file, and more file systems have it.
  public borrowing func handle(isOnlyAName: Bool = false) -> [UInt8]? {
    let number = rawValue
    var isThere = false
    let capacity = Int(SLUICE_HANDLE_BYTE_COUNT_MAX)
    let handle = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { room, count in
      let result = unsafe sluice_file_handle(number, isOnlyAName ? 1 : 0, room.baseAddress!)
      isThere = result > 0
      count = Int(max(0, result))
    }
    return isThere ? handle : nil
  }

  /// Nil where the file system does not tell.
  public borrowing func birthTime() -> BirthTime? {
    var time = BirthTime(seconds: 0, nanoseconds: 0)
    let result = unsafe sluice_file_birth(rawValue, &time.seconds, &time.nanoseconds)
    return result == 0 ? time : nil
  }
}
