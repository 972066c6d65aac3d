// Paths, resolved by the kernel beneath one directory. A client's path is split into a directory,
// which openat2 resolves without leaving the root, and one last component, which no later call
// follows if it is a link. There is no string that decides what is inside.
//
// A root that is read only gives no file that can be written. Its unnamed files, which nobody ever
// finds, lie where the host's do.
//
// With a private sidecar the root is `/` and absolute links are followed, because the paths are the
// host's own. Links of /proc are refused, because /proc/self is another process here. In any other
// root the kernel refuses absolute links. Those that lead back into the root are followed here, one
// at a time, and each step is again the kernel's (Root+AbsoluteLinks).

internal import SluiceChannel
internal import SluiceServer
internal import SluiceSystem
internal import SluiceWire

final class Root: Sendable {
  let usesHostPaths: Bool
  let isReadOnly: Bool
  private let descriptor: FileDescriptor
  /// The root's name as the operator gave it, absolute: it may lead through links, and later
  /// elsewhere. Nil for the host's own paths.
  private let givenPath: [UInt8]?
  /// Where a root that is read only, or cannot have files without a name, has its unnamed files:
  /// opened while this process may still.
  private let temporaryDirectory: SharedDescriptor?

  /// `path` (zero-terminated) is nil for the host's own paths.
  init(_ path: [CChar]?, isReadOnly: Bool = false) throws(Errno) {
    usesHostPaths = path == nil
    self.isReadOnly = isReadOnly
    descriptor = try unsafe FileDescriptor.open(path ?? cString("/"), [.directory, .pathOnly])
    givenPath = path.map { absolute($0) }
    // A directory that this user may not enter can be opened so, but no file in it.
    _ = try unsafe FileDescriptor.open(
      cString("."), in: descriptor.rawValue, [.directory, .pathOnly])
    let isElsewhere = isReadOnly || path.map { !takesUnnamedFiles($0) } ?? false
    temporaryDirectory = isElsewhere ? hostsTemporaryDirectory() : nil
  }

  /// Allows what a sidecar does with files, at the root and beneath it.
  func allowItsUse(in ruleset: borrowing LandlockRuleset) throws(Errno) {
    let reading: FileRights = [.readFile, .readDirectory]
    let writing: FileRights = [.writeFile, .makeFile, .removeFile, .truncate]
    try ruleset.allow(isReadOnly ? reading : reading.union(writing), at: descriptor)
    guard let temporaryDirectory else { return }
    try ruleset.allow([.readFile, .writeFile, .truncate], at: temporaryDirectory.descriptor)
  }

  /// The root directory itself.
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

  /// The kind of file system that the root itself is on; others may be mounted beneath it.
  var fileSystemKind: FileSystemKind { descriptor.fileSystemKind() }

  func withDirectory(_ body: (borrowing FileDescriptor) -> Void) { body(descriptor) }

  /// Throws unless files may be changed.
  func checkWritable() throws(FileError) {
    if isReadOnly { throw .system(.readOnlyFileSystem) }
  }

  /// The directory and name that `path` stands for. The directory must exist, the name need not.
  func locate(_ path: [UInt8]) throws(FileError) -> Location {
    let parts = try split(path)
    return Location(
      directory: try openDirectory(parts.directory), name: try nameComponent(parts.name))
  }

  /// The directory that `path` stands for if it has no name for it: `/`, `.` or `sub/..`.
  func locateDirectory(_ path: [UInt8]) throws(FileError) -> Location {
    let parts = try split(path + [UInt8(ascii: "/")])
    return Location(
      directory: try openDirectory(parts.directory),
      name: [CChar(bitPattern: UInt8(ascii: ".")), 0])
  }

  /// The last component of `path`, for use in a directory that is open already.
  func nameComponent(_ name: ArraySlice<UInt8>) throws(FileError) -> [CChar] {
    guard !name.isEmpty, !name.elementsEqual(".".utf8), !name.elementsEqual("..".utf8) else {
      throw .system(.isDirectory)
    }
    guard name.count <= 255 else { throw .system(.nameTooLong) }
    return name.map { CChar(bitPattern: $0) } + [0]
  }

  // MARK: Full names

  /// The path under which all programs, stock ones included, know the file that `path` leads to:
  /// the host's path, with no link, `.` or `..` in it. SQLite writes such names into
  /// super-journals, and a program that finds one there must find the file. The file, or even its
  /// directory, need not exist.
  func fullPathname(_ path: [UInt8]) throws(FileError) -> (path: [UInt8], isThroughLink: Bool) {
    let own = try ownPath()
    // The VFS asks for this before each database that it opens.
    if path.count == 1, path.first == UInt8(ascii: "/") { return (own, false) }
    let plain = joined(own, normalized(inside(path, own)))
    var current = path
    for _ in 0..<40 {
      do throws(FileError) {
        guard let next = try fullPathnameStep(&current) else { continue }
        return (next, next != plain)
      } catch .system(.noEntry) {
        // No such directory: opening the file will say so. But with `..` resolved in the text, as
        // SQLite's own VFS does it, there may be one, and even a link.
        let missing = joined(own, normalized(inside(current, own)))
        if missing == current { return (missing, missing != plain) }
        current = missing
      }
    }
    throw .system(.tooManyLinks)
  }

  /// Either the full name, or nil with `path` led one link further.
  private func fullPathnameStep(_ path: inout [UInt8]) throws(FileError) -> [UInt8]? {
    let parts = try split(path)
    let name: [CChar]
    do throws(FileError) {
      name = try nameComponent(parts.name)
    } catch .system(.isDirectory) {
      return try knownPath(of: try openDirectory(try split(path + [UInt8(ascii: "/")]).directory))
    }
    let directory = try openDirectory(parts.directory)
    let known = try knownPath(of: directory)
    guard let target = try linkTarget(name, in: directory) else {
      return joined(known, Array(parts.name))
    }
    if target.first != UInt8(ascii: "/") {
      path = joined(known, target)
      return nil
    }
    if !usesHostPaths, try innerPath(of: target) == nil { throw .outsideRoot }
    path = target
    return nil
  }

  /// The target of the link `name`; nil for a file that is no link, or yet to be made.
  private func linkTarget(
    _ name: [CChar], in directory: Directory
  ) throws(FileError) -> [UInt8]? {
    do throws(Errno) {
      guard try unsafe directory.descriptor.status(of: name).isSymbolicLink else { return nil }
      return try unsafe directory.descriptor.readLink(name)
    } catch .noEntry {
      return nil
    } catch {
      throw .system(error)
    }
  }

  /// The host's path of an open directory, which must not have been moved out of the root.
  private func knownPath(of directory: Directory) throws(FileError) -> [UInt8] {
    let path = try system { () throws(Errno) in
      try pathOfDirectory(directory.descriptor.rawValue)
    }
    let own = try ownPath()
    guard isBeneath(path, own) else { throw .outsideRoot }
    return path
  }

  /// `target`, an absolute link's, as a path from the root; nil if it leads elsewhere.
  func innerPath(of target: [UInt8]) throws(FileError) -> [UInt8]? {
    innerPath(of: target, try ownPath())
  }

  /// The root's own path on the host, now.
  private func ownPath() throws(FileError) -> [UInt8] {
    try system { () throws(Errno) in try pathOfDirectory(descriptor.rawValue) }
  }

  /// The part of `path` behind the root's own path; all of it where it does not begin with that.
  private func inside(_ path: [UInt8], _ own: [UInt8]) -> [UInt8] {
    innerPath(of: path, own) ?? path
  }

  /// The part of `path` behind the root's own path or the path that the operator gave, if that
  /// still leads here. Nil if `path` begins with neither.
  private func innerPath(of path: [UInt8], _ own: [UInt8]) -> [UInt8]? {
    if let inner = remainder(of: path, beneath: own) { return inner }
    guard let givenPath, let inner = remainder(of: path, beneath: givenPath),
      let there = try? unsafe FileDescriptor.open(
        givenPath.map { CChar(bitPattern: $0) } + [0], [.directory, .pathOnly]),
      let its = try? there.status(), let ours = try? descriptor.status(),
      FileIdentity(its) == FileIdentity(ours)
    else { return nil }
    return inner
  }

  // MARK: Parts

  private func split(
    _ path: [UInt8]
  ) throws(FileError) -> (directory: ArraySlice<UInt8>, name: ArraySlice<UInt8>) {
    guard path.count <= ChannelShape.pathByteCountMaximum else { throw .system(.nameTooLong) }
    guard !path.isEmpty else { throw .system(.noEntry) }
    guard !path.contains(0) else { throw .system(.invalid) }
    let inside = usesHostPaths ? path : inside(path, try ownPath())
    guard let slash = inside.lastIndex(of: UInt8(ascii: "/")) else { return ([], inside[...]) }
    return (inside[..<slash], inside[(slash + 1)...])
  }

  private func openDirectory(_ path: ArraySlice<UInt8>) throws(FileError) -> Directory {
    var path = path
    for _ in 0..<40 {
      do throws(FileError) {
        return try openDirectoryBeneath(path)
      } catch .outsideRoot {
        path = try replacingLinkOut(of: path)[...]
      }
    }
    throw .system(.tooManyLinks)
  }

  private func openDirectoryBeneath(_ path: ArraySlice<UInt8>) throws(FileError) -> Directory {
    // Beneath a root a leading slash means the root itself, which the kernel would refuse.
    var relative = path.drop { $0 == UInt8(ascii: "/") }.map { CChar(bitPattern: $0) }
    if relative.isEmpty { relative = [CChar(bitPattern: UInt8(ascii: "."))] }
    relative.append(0)
    do throws(FileError) {
      return Directory(try open(relative, [.directory, .readOnly]), isReadable: true)
    } catch .system(.accessDenied) {
      return Directory(try open(relative, [.directory, .pathOnly]), isReadable: false)
    }
  }

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
