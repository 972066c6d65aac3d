// The full name of a file for a sidecar that serves the host's own names. Such a sidecar has the
// root directory and the mounts of this process (see SessionTable), so this process's kernel gives
// the answer that the sidecar would give.

internal import SluiceSystem

private let slash = UInt8(ascii: "/")
private let linkCountMaximum = 40

/// Whether a database with that socket in its URI (nil for none) has the host's own name.
func meansHostName(socket: UnsafePointer<CChar>?) -> Bool {
  unsafe socket == nil && environmentValue("SLUICE_SOCKET") == nil
}

/// The absolute name of `path`, with its links followed, and whether there were any. Neither the
/// file nor its directory need exist.
@inline(never)
func hostFullPathname(_ path: [UInt8]) throws(VFSError) -> (path: [UInt8], isThroughLink: Bool) {
  guard !path.isEmpty else { throw .system(.noEntry) }
  var current = path
  do throws(Errno) {
    if path.first != slash { current = try workingDirectoryPath() + [slash] + path }
    let plain = normalized(current)
    for _ in 0..<linkCountMaximum {
      if let real = realPath(of: current) { return (real, real != plain) }
      if let parts = directoryAndName(of: current),
        let directory = realPath(of: parts.directory)
      {
        // The file is not there, or a link leads to where none is.
        let full = joined(directory, parts.name)
        guard let target = try linkTarget(full) else { return (full, full != plain) }
        current = target.first == slash ? target : joined(directory, target)
      } else {
        let missing = normalized(current)
        if missing == current { return (missing, missing != plain) }
        current = missing
      }
    }
    throw .tooManyLinks
  } catch {
    throw .system(error)
  }
}

/// The target of a link; nil for a file that is no link, or is not there.
private func linkTarget(_ path: [UInt8]) throws(Errno) -> [UInt8]? {
  do throws(Errno) {
    return try unsafe readSymbolicLink(path.map { CChar(bitPattern: $0) } + [0])
  } catch .noEntry, .invalid {
    return nil
  }
}
