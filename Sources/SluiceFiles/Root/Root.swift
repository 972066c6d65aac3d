// One directory that is served, the root or an also-directory, and what the kernel finds beneath it.
// There is no string that decides what is inside.
//
// A directory that is read only gives no file that can be written. The unnamed files of a read-only
// root, which nobody ever finds, lie where the host's do.
//
// With a private sidecar the root is `/` and absolute links are followed, because the paths are the
// host's own. Links of /proc are refused, because /proc/self is another process here. Beneath any
// other directory the kernel refuses every link that leads out, and every absolute one (Roots+Links).

internal import SluiceServer
internal import SluiceSystem
internal import SluiceWire

final class Root: Sendable {
  let usesHostPaths: Bool
  let isReadOnly: Bool
  /// Whether the quota counts its files.
  let isCounted: Bool
  private let descriptor: FileDescriptor
  /// The directory's name as the operator gave it, absolute: it may lead through links, and later
  /// elsewhere. Nil for the host's own paths.
  private let givenPath: [UInt8]?
  /// Where a root that is read only, or cannot have files without a name, has its unnamed files:
  /// opened while this process may still.
  private let temporaryDirectory: SharedDescriptor?

  /// The root. `path` (zero-terminated) is nil for the host's own paths.
  init(_ path: [CChar]?, isReadOnly: Bool = false) throws(Errno) {
    usesHostPaths = path == nil
    self.isReadOnly = isReadOnly
    isCounted = true
    descriptor = try openServed(path ?? cString("/"))
    givenPath = path.map { absolute($0) }
    let isElsewhere = isReadOnly || path.map { !takesUnnamedFiles($0) } ?? false
    temporaryDirectory = isElsewhere ? hostsTemporaryDirectory() : nil
  }

  /// A directory that is served besides `root`. Its unnamed files are the root's.
  init(_ path: [CChar], isReadOnly: Bool, besides root: Root) throws(Errno) {
    usesHostPaths = false
    self.isReadOnly = isReadOnly
    descriptor = try openServed(path)
    givenPath = absolute(path)
    temporaryDirectory = nil
    isCounted = isBeneath(try pathOfDirectory(descriptor.rawValue), try root.ownPath())
  }

  /// Allows what a sidecar does with files, at the directory and beneath it.
  func allowItsUse(in ruleset: borrowing LandlockRuleset) throws(Errno) {
    let reading: FileRights = [.readFile, .readDirectory]
    let writing: FileRights = [.writeFile, .makeFile, .removeFile, .truncate]
    try ruleset.allow(isReadOnly ? reading : reading.union(writing), at: descriptor)
    guard let temporaryDirectory else { return }
    try ruleset.allow([.readFile, .writeFile, .truncate], at: temporaryDirectory.descriptor)
  }

  /// The directory itself.
  private func openSelf() throws(FileError) -> FileDescriptor {
    try open([CChar(bitPattern: UInt8(ascii: ".")), 0], [.directory, .readOnly])
  }

  /// Where unnamed files are made: in the root, or where SQLite's unix VFS puts them.
  func openTemporaryDirectory() throws(FileError) -> SharedDescriptor {
    if let temporaryDirectory { return temporaryDirectory }
    if !usesHostPaths, !isReadOnly { return SharedDescriptor(try openSelf()) }
    guard let directory = hostsTemporaryDirectory() else { throw .system(.noEntry) }
    return directory
  }

  /// The kind of file system that the directory itself is on; others may be mounted beneath it.
  var fileSystemKind: FileSystemKind { descriptor.fileSystemKind() }

  func withDirectory(_ body: (borrowing FileDescriptor) -> Void) { body(descriptor) }

  /// Throws unless files may be changed.
  func checkWritable() throws(FileError) {
    if isReadOnly { throw .system(.readOnlyFileSystem) }
  }

  // MARK: Paths as text

  /// The directory's own path on the host, now.
  func ownPath() throws(Errno) -> [UInt8] { try pathOfDirectory(descriptor.rawValue) }

  /// The part of `path` behind `own`, the directory's own path, or behind the path that the operator
  /// gave, if that still leads here. Nil if `path` begins with neither.
  func innerPath(of path: [UInt8], _ own: [UInt8]) -> [UInt8]? {
    if let inner = remainder(of: path, beneath: own) { return inner }
    guard let givenPath, let inner = remainder(of: path, beneath: givenPath),
      let there = try? unsafe FileDescriptor.open(
        givenPath.map { CChar(bitPattern: $0) } + [0], [.directory, .pathOnly]),
      let its = try? there.status(), let ours = try? descriptor.status(),
      FileIdentity(its) == FileIdentity(ours)
    else { return nil }
    return inner
  }

  /// The host's path of an open directory, which must not have been moved out of this one.
  func knownPath(of directory: borrowing FileDescriptor) throws(FileError) -> [UInt8] {
    do throws(Errno) {
      let path = try pathOfDirectory(directory.rawValue)
      if isBeneath(path, try ownPath()) { return path }
    } catch {
      throw .system(error)
    }
    throw .outsideRoot
  }

  // MARK: What the kernel finds

  /// The directory at `path`, whose leading slash means this one.
  func openDirectory(_ path: ArraySlice<UInt8>) throws(FileError) -> Directory {
    // The kernel would refuse the slash.
    var relative = path.drop { $0 == UInt8(ascii: "/") }.map { CChar(bitPattern: $0) }
    if relative.isEmpty { relative = [CChar(bitPattern: UInt8(ascii: "."))] }
    relative.append(0)
    do throws(FileError) {
      let descriptor = try open(relative, [.directory, .readOnly])
      return Directory(descriptor, in: self, isReadable: true)
    } catch .system(.accessDenied) {
      let descriptor = try open(relative, [.directory, .pathOnly])
      return Directory(descriptor, in: self, isReadable: false)
    }
  }

  /// Opens `path`, which is zero-terminated and has no leading slash. Throws `outsideRoot` where the
  /// kernel refuses a step.
  func open(_ path: [CChar], _ flags: OpenFlags) throws(FileError) -> FileDescriptor {
    let confinement: PathResolution = usesHostPaths ? [] : .beneath
    do throws(Errno) {
      return try unsafe FileDescriptor.open(
        path, in: descriptor.rawValue, flags, resolution: confinement.union(.noMagicLinks))
    } catch .crossesDevice {
      throw .outsideRoot
    } catch .tooManyLinks {
      // Too many links, or one of /proc? The kernel has one error for both.
      if let _ = try? unsafe FileDescriptor.open(
        path, in: descriptor.rawValue, [.pathOnly], resolution: confinement)
      {
        throw .magicLink
      }
      throw .system(.tooManyLinks)
    } catch {
      throw .system(error)
    }
  }
}

private func openServed(_ path: [CChar]) throws(Errno) -> FileDescriptor {
  let descriptor = try unsafe FileDescriptor.open(path, [.directory, .pathOnly])
  // A directory that this user may not enter can be opened so, but no file in it.
  _ = try unsafe FileDescriptor.open(
    cString("."), in: descriptor.rawValue, [.directory, .pathOnly])
  return descriptor
}

/// Whether files without a name can be made in a directory. By way of a daemon, or of another host,
/// they often cannot.
private func takesUnnamedFiles(_ path: [CChar]) -> Bool {
  do throws(Errno) {
    _ = try unsafe FileDescriptor.open(
      path, [.temporary, .readWrite, .exclusive], permissions: 0o600)
    return true
  } catch {
    return [.noSpace, .overQuota, .tooManyOpen, .tooManyOpenInSystem, .outOfMemory].contains(error)
  }
}

/// The directory in which SQLite's unix VFS makes unnamed files.
private func hostsTemporaryDirectory() -> SharedDescriptor? {
  for variable in ["SQLITE_TMPDIR", "TMPDIR"] as [StaticString] {
    if let path = unsafe environmentValue(variable),
      let directory = try? unsafe FileDescriptor.open(path, [.directory, .readOnly])
    {
      return SharedDescriptor(directory)
    }
  }
  for path in ["/var/tmp", "/usr/tmp", "/tmp", "."] {
    if let directory = try? unsafe FileDescriptor.open(cString(path), [.directory, .readOnly]) {
      return SharedDescriptor(directory)
    }
  }
  return nil
}

/// `path` (zero-terminated) from the host's root directory, as text.
private func absolute(_ path: [CChar]) -> [UInt8] {
  let path = path.dropLast().map { UInt8(bitPattern: $0) }
  guard path.first != UInt8(ascii: "/"), let known = try? workingDirectoryPath() else {
    return normalized(path)
  }
  return normalized(joined(known, path))
}
