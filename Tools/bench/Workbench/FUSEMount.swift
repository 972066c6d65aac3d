// The files of a benchmark, shown by a file system in another process: the other out-of-process
// way. Tools/fuse/passthrough.c is that process, and says what the kernel may keep of it.

internal import CSluice
internal import Glibc
internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

final class FUSEMount {
  let mountPoint: String
  var process: Int32 { daemon.id }
  private let daemon: MeasuredProcess

  static let note =
    "FUSE: Tools/fuse/passthrough.c, libfuse's high-level interface, multi-threaded; the kernel keeps"
    + " names and attributes for 1 s and pages while the file's time and size stand; writes go"
    + " through; locks are the daemon's"

  /// Shows `source` at `mountPoint`. Both directories must exist.
  init(
    _ program: String, source: String, mountPoint: String, _ wait: InterruptibleWait
  ) throws(ToolError) {
    self.mountPoint = mountPoint
    do throws(Errno) {
      daemon = try MeasuredProcess([program, source, mountPoint])
    } catch {
      throw .system(program, error)
    }
    do throws(ToolError) {
      try daemon.awaitLine("ready", wait, timeoutSeconds: 10)
    } catch {
      unmount()
      throw error
    }
  }

  /// Fails unless this machine has FUSE and the program for it.
  static func program(beside program: String) throws(ToolError) -> String {
    guard unsafe access("/dev/fuse", R_OK | W_OK) == 0 else {
      throw .failed("--peer fuse: /dev/fuse: \(lastErrorText())")
    }
    let directory = program.split(separator: "/", omittingEmptySubsequences: false)
      .dropLast().joined(separator: "/")
    let path = directory + "/fuse-passthrough"
    guard unsafe access(zeroTerminated(path), X_OK) == 0 else {
      throw .failed("--peer fuse: \(path): \(lastErrorText()); Tools/fuse/build makes it")
    }
    return path
  }

  func unmount() {
    daemon.stop()
    // The program has done so itself unless it was killed.
    unsafe umount2(mountPoint, Int32(MNT_DETACH))
  }
}
