// The origin of an open file: its file system, and the values that tell it from another file that
// had, or will have, the same device and inode number. How reliable these values are depends on the
// file system. This file does not decide that.

internal import CSluice

/// The file system of a file.
public struct FileSystemNumbers: Sendable {
  /// Its kind, as `statfs(2)` names it.
  public var magic: UInt32
  /// Its number among the file systems of its kind; 0 if it has none.
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

  /// The kernel's handle of the file, after the handle's type; nil if there is none. A handle that
  /// only names a file cannot open it, but more file systems have such handles.
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

  /// Nil if the file system does not say.
  public borrowing func birthTime() -> BirthTime? {
    var time = BirthTime(seconds: 0, nanoseconds: 0)
    let result = unsafe sluice_file_birth(rawValue, &time.seconds, &time.nanoseconds)
    return result == 0 ? time : nil
  }
}
