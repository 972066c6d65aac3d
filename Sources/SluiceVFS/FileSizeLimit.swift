// How large the program may make a file (RLIMIT_FSIZE). The kernel holds whoever writes to it, and
// that is the sidecar now; so the VFS does: a write beyond the limit sends SIGXFSZ to the thread, as
// the kernel would, and fails with EFBIG.
//
// The program may set the limit at any time. To look costs as much as a whole lock, so it is looked at
// before a file grows, and then the file may grow by a little: a limit that is set later, and would be
// reached within that, holds from there on. Used by one connection at a time.

internal import CSluice
internal import SluiceClient
internal import SluiceSystem
internal import SluiceWire

struct FileSizeLimit {
  /// How far this file was allowed to be written, in bytes.
  private var allowedByteCount: Int64 = 0
  /// How much further than asked for it is allowed at a time.
  private static let stride: Int64 = 128 * 1024

  /// Throws unless the file may be so large.
  @inline(__always)
  mutating func allow(_ byteCount: Int64) throws(CallError) {
    if byteCount > allowedByteCount { try look(byteCount) }
  }

  @inline(never)
  private mutating func look(_ byteCount: Int64) throws(CallError) {
    let limit = fileSizeLimit()
    guard byteCount <= limit else {
      signalFileSizeLimit()
      throw .refused(.systemError, .fileTooLarge)
    }
    allowedByteCount = min(limit, byteCount.addingReportingOverflow(Self.stride).partialValue)
  }
}
