// How large the program may make a file (RLIMIT_FSIZE). The kernel holds whoever writes to it, and
// that is the sidecar now; so the VFS does: a write beyond the limit sends SIGXFSZ to the thread, as
// the kernel would, and fails with EFBIG.
//
// The program may set the limit at any time. It is looked at when a file is opened and when a
// transaction begins to write, and once more before a write is refused.
//
// Threads: any.

internal import CSluice
internal import SluiceClient
internal import SluiceSystem
internal import SluiceWire
internal import Synchronization

enum FileSizeLimit {
  private static let known = Atomic<Int64>(.max)

  /// Looks at the limit: one system call.
  @inline(__always)
  static func look() { known.store(fileSizeLimit(), ordering: .relaxed) }

  /// Throws unless a file may become so large.
  @inline(__always)
  static func check(_ byteCount: Int64) throws(CallError) {
    if byteCount > known.load(ordering: .relaxed) { try refuse(byteCount) }
  }

  @inline(never)
  private static func refuse(_ byteCount: Int64) throws(CallError) {
    look()
    guard byteCount > known.load(ordering: .relaxed) else { return }
    signalFileSizeLimit()
    throw .refused(.systemError, .fileTooLarge)
  }
}
