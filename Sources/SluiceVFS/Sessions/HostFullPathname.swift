// The full name of a file for a sidecar that serves the host's own names. Such a sidecar has the
// root directory and the mounts of this process (see SessionTable), so this process's kernel gives
// the answer that the sidecar would give.

internal import CSluice
internal import SluiceSystem

/// Whether a database with that socket in its URI (nil for none) has the host's own name.
func meansHostName(socket: UnsafePointer<CChar>?) -> Bool {
  unsafe socket == nil && environmentValue("SLUICE_SOCKET") == nil
}

/// The absolute name of `path`, with its links followed, and whether there were any. Neither the
/// file nor its directory need exist.
@inline(never)
func hostFullPathname(
  _ path: UnsafePointer<CChar>
) throws(VFSError) -> (path: [UInt8], isThroughLink: Bool) {
  var result: Int32 = 0
  let full = unsafe [UInt8](unsafeUninitializedCapacity: 4096) { buffer, initializedCount in
    unsafe buffer.withMemoryRebound(to: CChar.self) {
      result = unsafe sluice_full_pathname(path, $0.baseAddress!)
      initializedCount = unsafe result < 0 ? 0 : strlen($0.baseAddress!)
    }
  }
  guard result >= 0 else { throw .system(Errno(-result)) }
  return (full, result == 1)
}
