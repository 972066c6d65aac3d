// The socket's name in the file system: made by the sidecar, replaced when its maker is dead,
// respected when he is not, and removed at the end if it is the sidecar's own still.

internal import SluiceSystem
internal import SluiceWire

/// The file that a sidecar has made. It is kept open by name, so that no other file can have its inode
/// number: its user may have removed it and started another sidecar in its place.
final class SocketFile: Sendable {
  let path: [CChar]
  private let own: FileDescriptor

  fileprivate init(_ path: [CChar], _ own: consuming FileDescriptor) {
    self.path = path
    self.own = own
  }

  /// Works in a sidecar that is confined: of this directory it may only remove files.
  func remove() {
    guard let parts = try? splitSocketPath(path),
      let directory = try? openDirectory(ofSocket: path),
      let present = try? unsafe directory.status(of: parts.name), let own = try? own.status(),
      FileIdentity(present) == FileIdentity(own)
    else { return }
    try? unsafe directory.unlink(parts.name)
  }
}

/// Listens on a socket file of this name. One that nobody serves is replaced. The directory is
/// locked meanwhile, so that of two sidecars that start at once the second sees the first.
func listenOnSocketFile(
  _ path: [CChar], permissions: UInt32
) throws(SidecarError) -> (listener: SharedDescriptor, file: SocketFile) {
  do throws(Errno) {
    let parts = try splitSocketPath(path)
    let directory = try unsafe FileDescriptor.open(parts.directory, [.directory, .readOnly])
    try lock(directory)
    switch try whoServes(path) {
    case .nobody: break
    case .somebody: throw .exists
    case .aDeadOne:
      guard try unsafe directory.status(of: parts.name).isSocket else { throw .invalid }
      try unsafe directory.unlink(parts.name)
    }
    let listener = try unsafe FileDescriptor.listen(
      onSocket: path, backlog: 128, permissions: permissions)
    let own = try unsafe FileDescriptor.open(
      parts.name, in: directory.rawValue, [.pathOnly, .noFollow])
    return (SharedDescriptor(listener), SocketFile(path, own))
  } catch .exists {
    throw .socketInUse(path: String(zeroTerminated: path))
  } catch .invalid {
    throw .socketNameTaken(path: String(zeroTerminated: path))
  } catch {
    throw .socket(path: String(zeroTerminated: path), error)
  }
}

/// The directory of a socket file, for naming what is in it.
func openDirectory(ofSocket path: [CChar]) throws(Errno) -> FileDescriptor {
  try unsafe FileDescriptor.open(splitSocketPath(path).directory, [.directory, .pathOnly])
}

private enum Server { case nobody, aDeadOne, somebody }

private func whoServes(_ path: [CChar]) throws(Errno) -> Server {
  do throws(Errno) {
    _ = try unsafe FileDescriptor.connect(toSocket: path)
    return .somebody
  } catch .again {
    return .somebody
  } catch .noEntry {
    return .nobody
  } catch .connectionRefused {
    return .aDeadOne
  }
}

private func splitSocketPath(_ path: [CChar]) throws(Errno) -> (directory: [CChar], name: [CChar]) {
  let slash = CChar(bitPattern: UInt8(ascii: "/"))
  guard let last = path.lastIndex(of: slash) else { return (cString("."), path) }
  guard last + 2 < path.count else { throw .isDirectory }
  return (last == 0 ? cString("/") : path[..<last] + [0], Array(path[(last + 1)...]))
}

private func lock(_ directory: borrowing FileDescriptor) throws(Errno) {
  for _ in 0..<100 {
    do throws(Errno) {
      try directory.lockWhole()
      return
    } catch .again {
      Clock.sleep(nanoseconds: 20_000_000)
    }
  }
  throw .timedOut
}
