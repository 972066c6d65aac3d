// A file's name as the session's sidecar takes it.
//
// A name means what it means to the program: a relative one begins in the working directory of that
// moment, and this process's kernel follows links and `..`. A private sidecar takes the host's
// names. A sidecar with a root gets the host's name if that leads into the root or an also-directory.
// Any other name goes to the sidecar as it is, and the sidecar looks for it from its root.
//
// The client does not know the also-directories. It asks for the full name of the host's name: if
// that is the same, the sidecar takes it for the host's.
//
// This decides only which name is asked for. The sidecar's kernel walks it again beneath one of its
// directories, so a name that changed its meaning meanwhile, or means something else in the
// sidecar's mount namespace, leads out of them no more than any other.

internal import SluiceClient
internal import SluiceSystem

private let slash = UInt8(ascii: "/")

/// `path` for xOpen, xAccess and xDelete. They get absolute names from xFullPathname, and pass
/// those on.
@inline(never)
func completed(_ path: [UInt8], in session: Session) throws(VFSError) -> [UInt8] {
  if path.first == slash { return path }
  if !session.usesHostPaths { return try HostName(path, in: session)?.literal ?? path }
  do throws(Errno) {
    return try workingDirectoryPath() + [slash] + path
  } catch {
    throw .system(error)
  }
}

/// A name that leads into a directory of a shared sidecar, or begins there, as the host has it.
struct HostName {
  /// The root's path on the host.
  let root: [UInt8]
  /// The name without links as far as this process can follow them.
  let found: [UInt8]
  /// The name for calls that follow no rule of SQLite's. What ends in no name (`file/`, `none/..`)
  /// means what the sidecar's kernel makes of it.
  let literal: [UInt8]
  /// The absolute name, its links not followed.
  private let plain: [UInt8]

  /// Nil if the name can only mean a file beneath the sidecar's root.
  @inline(never)
  init?(_ path: [UInt8], in session: Session) throws(VFSError) {
    guard !path.isEmpty else { return nil }
    root = try call { () throws(CallError) in try session.home.fullPathname([slash]).path }
    var given = path
    var beginsInside = false
    if path.first != slash {
      guard let directory = try workingDirectory() else { return nil }
      given = directory + [slash] + path
      beginsInside = isInside(directory, root, session)
    }
    plain = normalized(given)
    let real = withoutLinks(given)
    if isInside(real, root, session) {
      found = real
    } else if beginsInside {
      // It leads out. From the sidecar's root it could mean another file.
      found = given
    } else {
      return nil
    }
    literal = beginsInside && directoryAndName(of: given) == nil ? given : found
  }

  /// Whether the name of an existing file led through a link to `full`.
  func isThroughLink(to full: [UInt8]) -> Bool { plain != full }

  /// What `path` would mean if it began in the sidecar's root; nil if that is the same file, `full`,
  /// or if it cannot mean that.
  func otherMeaning(of path: [UInt8], than full: [UInt8]) -> [UInt8]? {
    if path.first == slash, isBeneath(path, root) { return nil }
    let other = joined(root, normalized(path))
    return other == full ? nil : other
  }
}

/// Whether the sidecar takes `path` for the host's name of a file that it serves.
@inline(never)
private func isInside(_ path: [UInt8], _ root: [UInt8], _ session: Session) -> Bool {
  isBeneath(path, root)
    || session.servesAlsoDirectories && (try? session.home.fullPathname(path))?.path == path
}

/// Nil if the working directory has no name in this process's root directory.
private func workingDirectory() throws(VFSError) -> [UInt8]? {
  if let path = try? workingDirectoryPath() { return path }
  // No file can be made there, by no name: as in SQLite's own VFS.
  if workingDirectoryIsRemoved() { throw .system(.noEntry) }
  return nil
}

/// `path` with its links followed. The file need not exist. If its directory does not exist, `..`
/// takes away the component before it, as in SQLite's own VFS.
private func withoutLinks(_ path: [UInt8]) -> [UInt8] {
  if let real = realPath(of: path) { return real }
  if let parts = directoryAndName(of: path), let directory = realPath(of: parts.directory) {
    return joined(directory, parts.name)
  }
  let plain = normalized(path)
  return plain == path ? plain : withoutLinks(plain)
}
