// What this machine lets a test do. A test that cannot run here says why.

import Foundation
import Glibc

enum Machine {
  static let isRoot = geteuid() == 0

  /// A file system of one's own, in a mount namespace that ends with its process.
  static let hasMountNamespaces = has("unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt")

  /// A process namespace of one's own.
  static let hasProcessNamespaces = has("unshare", "-pf", "--mount-proc", "true")

  /// Before a program's words: it runs where nothing is mounted on /proc but an empty file system.
  static let withoutProc = [
    "unshare", "-m", "sh", "-c", #"mount -t tmpfs none /proc; exec "$@""#, "sh",
  ]

  /// Whether root may become somebody else.
  static let hasOtherUsers = isRoot && has("setpriv", "--reuid=65534", "--clear-groups", "true")

  /// Tests that wait for long time-outs run where SLUICE_LONG_TESTS is 1.
  static let runsLongTests = ProcessInfo.processInfo.environment["SLUICE_LONG_TESTS"] == "1"

  /// Whether `words` can be run and end with exit code 0.
  static func has(_ words: String...) -> Bool {
    let scratch = FileManager.default.temporaryDirectory
    guard let process = try? ChildProcess(words, workingDirectory: scratch, scratch: scratch),
      let outcome = try? process.wait(within: 10)
    else { return false }
    return outcome.ending == .exited(0)
  }
}
