// Where the socket of a sidecar that this program starts has its name: in the first directory that
// can have it. A sidecar that was killed leaves its name there, and the next start removes it.

internal import CSluice
internal import SluiceSystem

/// The path of a socket that does not exist yet. Throws the error of the last directory that was
/// tried.
func unusedSocketPath() throws(Errno) -> String {
  var random: UInt64 = 0
  try unsafe withUnsafeMutableBytes(of: &random) { (bytes) throws(Errno) in
    try unsafe fillWithRandomBytes(bytes)
  }
  let name = socketPrefix + String(random, radix: 36) + socketSuffix
  var obstacle = Errno.noEntry
  for directory in socketDirectories() {
    let path = directory + "/" + name
    // The address of a socket holds so many bytes, with the terminating zero.
    guard zeroTerminated(path).count <= 108 else {
      obstacle = .nameTooLong
      continue
    }
    guard unsafe access(zeroTerminated(directory), R_OK | W_OK | X_OK) == 0 else {
      obstacle = Errno(sluice_errno())
      continue
    }
    removeDeadSockets(in: directory)
    return path
  }
  throw obstacle
}

private let socketPrefix = "sluice-"
private let socketSuffix = ".socket"

/// Programs work in other directories than this one, so relative names do not count.
private func socketDirectories() -> [String] {
  var directories: [String] = []
  if let named = unsafe environmentValue("TMPDIR") { unsafe directories.append(text(of: named)) }
  if directories.isEmpty { directories.append("/tmp") }
  if let named = unsafe environmentValue("XDG_RUNTIME_DIR") {
    unsafe directories.append(text(of: named))
  }
  return (directories + ["/tmp", "/var/tmp", "/dev/shm"]).filter { $0.hasPrefix("/") }
}

/// Removes the names of this user's sockets that no sidecar serves. A sidecar keeps the directory
/// exclusively (flock) while its socket has a name and does not listen yet; meanwhile nothing is
/// removed.
private func removeDeadSockets(in directory: String) {
  do throws(Errno) {
    let place = try unsafe FileDescriptor.open(zeroTerminated(directory), [.directory, .readOnly])
    try place.keepExclusively()
    let user = processIdentity().user
    for bytes in try place.namesInDirectory() {
      let name = text(ofBytes: bytes)
      guard name.hasPrefix(socketPrefix), name.hasSuffix(socketSuffix),
        let status = try? unsafe place.status(of: zeroTerminated(name)), status.isSocket,
        status.owner == user
      else { continue }
      do throws(Errno) {
        _ = try unsafe FileDescriptor.connect(toSocket: zeroTerminated(directory + "/" + name))
      } catch .connectionRefused {
        try? unsafe place.unlink(zeroTerminated(name))
      } catch {
        // It lives, or cannot be asked.
      }
    }
  } catch {
    // Others are at work in the directory. The next start removes the names.
  }
}
