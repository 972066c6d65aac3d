// Opening and removing by name, relative to an open directory. Paths are zero-terminated bytes as
// the kernel takes them.

internal import CSluice

/// The flags of `open(2)` that Sluice uses.
public struct OpenFlags: OptionSet, Sendable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  public static let readOnly = OpenFlags(rawValue: UInt64(O_RDONLY))
  public static let readWrite = OpenFlags(rawValue: UInt64(O_RDWR))
  public static let create = OpenFlags(rawValue: UInt64(O_CREAT))
  public static let exclusive = OpenFlags(rawValue: UInt64(O_EXCL))
  public static let noFollow = OpenFlags(rawValue: UInt64(O_NOFOLLOW))
  public static let directory = OpenFlags(rawValue: UInt64(O_DIRECTORY))
  /// Does not wait for another process's lease, but fails with `again`.
  public static let nonBlocking = OpenFlags(rawValue: UInt64(O_NONBLOCK))
  /// Names the file without opening it: breaks no lease, needs no permission on the file.
  public static var pathOnly: OpenFlags { OpenFlags(rawValue: UInt64(sluice_o_path)) }
  /// Makes an unnamed file in the directory that the path names.
  public static var temporary: OpenFlags { OpenFlags(rawValue: UInt64(sluice_o_tmpfile)) }
}

/// How `openat2(2)` walks a path.
public struct PathResolution: OptionSet, Sendable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// Refuses every step out of the starting directory with EXDEV.
  public static let beneath = PathResolution(rawValue: UInt64(SLUICE_RESOLVE_BENEATH))
  /// Refuses links such as /proc/self/fd/3 with ELOOP.
  public static let noMagicLinks = PathResolution(rawValue: UInt64(SLUICE_RESOLVE_NO_MAGICLINKS))
}

extension FileDescriptor {
  /// Opens `path`. A new file gets `permissions` less the umask.
  public static func open(
    _ path: UnsafePointer<CChar>, in directory: Int32 = WellKnownDescriptor.workingDirectory,
    _ flags: OpenFlags, permissions: UInt32 = 0, resolution: PathResolution = []
  ) throws(Errno) -> FileDescriptor {
    let raw = try unsafe check(
      sluice_openat2(
        directory, path, flags.rawValue, UInt64(permissions), resolution.rawValue))
    return FileDescriptor(owning: raw)
  }

  /// The status of `name` in this directory. Does not follow links.
  public borrowing func status(of name: UnsafePointer<CChar>) throws(Errno) -> FileStatus {
    var status = stat()
    _ = try unsafe check(sluice_fstatat(rawValue, name, &status))
    return FileStatus(status)
  }

  public borrowing func unlink(_ name: UnsafePointer<CChar>) throws(Errno) {
    _ = try unsafe check(sluice_unlinkat(rawValue, name))
  }

  /// Gives the file `path` of this directory a second name there. Throws `exists` if `name` is taken.
  public borrowing func link(
    _ path: UnsafePointer<CChar>, to name: UnsafePointer<CChar>
  ) throws(Errno) {
    _ = try unsafe check(sluice_linkat(rawValue, path, name))
  }

  /// Gives the file `path` (relative to the working directory) another name, in the place of what
  /// had that name.
  public static func rename(
    _ path: UnsafePointer<CChar>, to name: UnsafePointer<CChar>
  ) throws(Errno) {
    _ = try unsafe check(sluice_rename(path, name))
  }

  /// Whether this process may read, or read and write, `name` in this directory.
  public borrowing func allows(
    _ name: UnsafePointer<CChar>, writing: Bool
  ) -> Bool {
    unsafe sluice_faccessat(rawValue, name, writing ? R_OK | W_OK : R_OK) == 0
  }

  /// The target of the symbolic link `name` in this directory, not zero-terminated.
  public borrowing func readLink(_ name: UnsafePointer<CChar>) throws(Errno) -> [UInt8] {
    try unsafe readSymbolicLink(name, in: rawValue)
  }
}

/// The target of the symbolic link `name`, not zero-terminated.
public func readSymbolicLink(
  _ name: UnsafePointer<CChar>, in directory: Int32 = WellKnownDescriptor.workingDirectory
) throws(Errno) -> [UInt8] {
  let capacity = 4096
  var count: Int64 = 0
  let target = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { buffer, initializedCount in
    count = unsafe buffer.withMemoryRebound(to: CChar.self) {
      unsafe sluice_readlinkat(directory, name, $0.baseAddress!, capacity)
    }
    initializedCount = max(0, Int(count))
  }
  _ = try check(count)
  if count == capacity { throw .nameTooLong }
  return target
}

/// The current path of an open directory: from /proc or, if /proc is not mounted, by changing the
/// working directory to it for a moment. No thread may open anything relative to the working
/// directory meanwhile.
public func pathOfDirectory(_ descriptor: Int32) throws(Errno) -> [UInt8] {
  do throws(Errno) {
    return try unsafe withDescriptorPath(descriptor) { (path) throws(Errno) in
      try unsafe readSymbolicLink(path)
    }
  } catch {
    return try workplace.withLock { (_) throws(Errno) in
      let before = try unsafe FileDescriptor.open(".", [.directory, .pathOnly])
      _ = try check(sluice_fchdir(descriptor))
      defer { _ = sluice_fchdir(before.rawValue) }
      return try workingDirectoryPath()
    }
  }
}

/// Held by the thread that has changed the working directory.
private let workplace = FutexLock<Void>(())

/// Calls `body` with "/proc/self/fd/N". By this path an open file can be opened again.
public func withDescriptorPath<R: ~Copyable>(
  _ descriptor: Int32, _ body: (UnsafePointer<CChar>) throws(Errno) -> R
) throws(Errno) -> R {
  var digits: [CChar] = [0]
  var rest = descriptor
  repeat {
    digits.insert(CChar(UInt8(ascii: "0") + UInt8(rest % 10)), at: 0)
    rest /= 10
  } while rest > 0
  let prefix: StaticString = "/proc/self/fd/"
  var path: [CChar] = []
  for index in 0..<prefix.utf8CodeUnitCount {
    unsafe path.append(CChar(bitPattern: prefix.utf8Start[index]))
  }
  path.append(contentsOf: digits)
  return try unsafe body(path)
}

/// Opens the file of `descriptor` again, and replaces the old description by the new one. A thread
/// that uses the number meanwhile uses either the old or the new description.
public func renewDescription(
  of descriptor: borrowing FileDescriptor, _ options: OpenFlags
) throws(Errno) {
  let fresh = try unsafe withDescriptorPath(descriptor.rawValue) { (path) throws(Errno) in
    try unsafe FileDescriptor.open(path, options)
  }
  _ = try check(sluice_replace_descriptor(fresh.rawValue, descriptor.rawValue))
}

/// This process's working directory, not zero-terminated.
public func workingDirectoryPath() throws(Errno) -> [UInt8] {
  let capacity = 4096
  var failed = false
  let path = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { buffer, initializedCount in
    unsafe buffer.withMemoryRebound(to: CChar.self) {
      failed = unsafe getcwd($0.baseAddress!, capacity) == nil
      initializedCount = unsafe failed ? 0 : strlen($0.baseAddress!)
    }
  }
  // The directory was removed, or this process cannot reach it, or its path is too long.
  if failed || path.first != UInt8(ascii: "/") { throw .noEntry }
  return path
}

/// The path of an existing file without links, `.` and `..`, as this process sees it; nil if the
/// file cannot be found. Opens nothing, and needs no /proc.
public func realPath(of path: [UInt8]) -> [UInt8]? {
  let path = path.map { CChar(bitPattern: $0) } + [0]
  var isFound = false
  let real = unsafe [UInt8](unsafeUninitializedCapacity: 4096) { buffer, initializedCount in
    unsafe buffer.withMemoryRebound(to: CChar.self) {
      isFound = unsafe realpath(path, $0.baseAddress!) != nil
      initializedCount = unsafe isFound ? strlen($0.baseAddress!) : 0
    }
  }
  return isFound ? real : nil
}

/// Whether this process works in a directory that was removed.
public func workingDirectoryIsRemoved() -> Bool {
  var status = stat()
  return unsafe sluice_fstatat(WellKnownDescriptor.workingDirectory, ".", &status) == 0
    && status.st_nlink == 0
}
