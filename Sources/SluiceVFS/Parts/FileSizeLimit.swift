// How large the program may make a file (RLIMIT_FSIZE). The kernel applies this limit to the
// process that writes, which is the sidecar now. So the VFS applies the program's limit: a write
// beyond it sends SIGXFSZ to the thread, as the kernel would, and fails with EFBIG.
//
// The program may change the limit at any time. Reading it costs as much as a whole lock. So the
// VFS reads it before a file grows, and then allows some growth without reading it again. If the
// program lowers the limit within that growth, the new limit applies only after that growth. Used
// by one connection at a time.

internal import CSluice
internal import SluiceClient
internal import SluiceSystem
internal import SluiceWire

struct FileSizeLimit {
  /// Up to which size writes to this file are allowed, in bytes.
  private var allowedByteCount: Int64 = 0
  /// How many bytes more than requested are allowed at a time.
  private static let stride: Int64 = 128 * 1024

  /// Throws unless the file may have this size.
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
