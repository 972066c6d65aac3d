// A database's name as the session's sidecar takes it.

internal import SluiceClient
internal import SluiceSystem

/// `path` as the session's sidecar takes it. A private sidecar takes names that begin in the host's
/// root directory, because its working directory is another one.
func completed(_ path: [UInt8], in session: Session) throws(VFSError) -> [UInt8] {
  guard session.usesHostPaths, path.first != UInt8(ascii: "/") else { return path }
  do throws(Errno) {
    return try workingDirectoryPath() + [UInt8(ascii: "/")] + path
  } catch {
    throw .system(error)
  }
}
