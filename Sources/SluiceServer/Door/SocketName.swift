// The socket's name in a directory. A server makes it, replaces it when the server that made it is
// dead, and refuses to start when that server lives. At the end the server removes the name if it
// is still its own.

package import SluiceSystem

/// The name that a server has made. What it names is kept open, so that nothing else can have its
/// inode number: a user may have removed the name and started another server in its place.
package final class SocketName: Sendable {
  package let path: [CChar]
  private let own: FileDescriptor

  init(_ path: [CChar], _ own: consuming FileDescriptor) {
    self.path = path
    self.own = own
  }

  /// Removes the name. Works in a process that is confined, which may only remove names in this
  /// directory.
  package func remove() {
    guard let parts = try? splitSocketPath(path),
      let directory = try? openDirectory(ofSocket: path),
      let present = try? unsafe directory.status(of: parts.name), let own = try? own.status(),
      present.device == own.device, present.inode == own.inode
    else { return }
    try? unsafe directory.unlink(parts.name)
  }
}

/// Listens on a socket of this name (zero-terminated). A name that no server serves is replaced.
/// The directory is kept exclusively meanwhile (flock), so that of two servers that start at once
/// the second sees the first.
package func listen(
  onSocket path: [CChar], permissions: UInt32
) throws(ServerError) -> (listener: SharedDescriptor, name: SocketName) {
  let text = String(zeroTerminated: path)
  do throws(Errno) {
    let parts = try splitSocketPath(path)
    let directory = try unsafe FileDescriptor.open(parts.directory, [.directory, .readOnly])
    try keepExclusively(directory)
    switch try serverOf(path) {
    case .none: break
    case .living: throw .exists
    case .dead:
      guard try unsafe directory.status(of: parts.name).isSocket else { throw .invalid }
      try unsafe directory.unlink(parts.name)
    }
    let listener = try unsafe FileDescriptor.listen(
      onSocket: path, backlog: 128, permissions: permissions)
    let own = try unsafe FileDescriptor.open(
      parts.name, in: directory.rawValue, [.pathOnly, .noFollow])
    return (SharedDescriptor(listener), SocketName(path, own))
  } catch .exists {
    throw .socketInUse(path: text)
  } catch .invalid {
    throw .socketNameTaken(path: text)
  } catch {
    throw .socket(path: text, error)
  }
}

/// The directory of a socket's name.
func openDirectory(ofSocket path: [CChar]) throws(Errno) -> FileDescriptor {
  try unsafe FileDescriptor.open(splitSocketPath(path).directory, [.directory, .pathOnly])
}

private enum ServerOfName { case none, dead, living }

private func serverOf(_ path: [CChar]) throws(Errno) -> ServerOfName {
  do throws(Errno) {
    _ = try unsafe FileDescriptor.connect(toSocket: path)
    return .living
  } catch .again {
    return .living
  } catch .noEntry {
    return .none
  } catch .connectionRefused {
    return .dead
  }
}

private func splitSocketPath(_ path: [CChar]) throws(Errno) -> (directory: [CChar], name: [CChar]) {
  let slash = CChar(bitPattern: UInt8(ascii: "/"))
  guard let last = path.lastIndex(of: slash) else { return (cString("."), path) }
  guard last + 2 < path.count else { throw .isDirectory }
  return (last == 0 ? cString("/") : path[..<last] + [0], Array(path[(last + 1)...]))
}

private func keepExclusively(_ directory: borrowing FileDescriptor) throws(Errno) {
  for _ in 0..<100 {
    do throws(Errno) {
      try directory.keepExclusively()
      return
    } catch .again {
      Clock.sleep(nanoseconds: 20_000_000)
    }
  }
  throw .timedOut
}
