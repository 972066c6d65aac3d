// The features of this machine that tests need. A test that cannot run here says why.

import Foundation
import Glibc

enum Machine {
  static let isRoot = geteuid() == 0

  /// Whether a process can have its own file system, in a mount namespace that ends with the
  /// process.
  static let hasMountNamespaces = has("unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt")

  /// Whether a process can have its own process namespace.
  static let hasProcessNamespaces = has("unshare", "-pf", "--mount-proc", "true")

  /// Words before a program's own: it runs with an empty file system on /proc.
  static let withoutProc = [
    "unshare", "-m", "sh", "-c", #"mount -t tmpfs none /proc; exec "$@""#, "sh",
  ]

  /// Whether Tools/fuse/build has made its file system, and root can mount it.
  static let hasFUSE =
    isRoot && hasMountNamespaces && has("test", "-w", "/dev/fuse")
    && FileManager.default.isExecutableFile(atPath: Fixture.passthrough)

  /// Whether root can put a file system into a file and mount it.
  static let hasLoopDevices =
    isRoot
    && has(
      "unshare", "-m", "sh", "-ec",
      "f=$(mktemp); trap 'rm $f' EXIT; truncate -s 4M $f; mkfs.ext4 -q $f; mount -o loop $f /mnt")

  static let hasOverlay =
    isRoot
    && has(
      "unshare", "-m", "sh", "-ec",
      "mount -t tmpfs none /mnt; cd /mnt; mkdir l u w m; mount -t overlay -o lowerdir=l,upperdir=u,workdir=w none m"
    )

  /// Whether root may become another user.
  static let hasOtherUsers = isRoot && has("setpriv", "--reuid=65534", "--clear-groups", "true")

  /// Whether PHP is there with both of its interfaces to SQLite.
  static let hasPHP = has(
    "php", "-r",
    "exit(class_exists('SQLite3') && in_array('sqlite', PDO::getAvailableDrivers()) ? 0 : 1);")

  static let hasFlask = has("/usr/bin/python3", "-c", "import flask")

  /// Tests with long time-outs run if SLUICE_LONG_TESTS is 1.
  static let runsLongTests = ProcessInfo.processInfo.environment["SLUICE_LONG_TESTS"] == "1"

  /// Whether `words` can be run and exit with code 0.
  static func has(_ words: String...) -> Bool {
    let scratch = FileManager.default.temporaryDirectory
    guard let process = try? ChildProcess(words, workingDirectory: scratch, scratch: scratch),
      let outcome = try? process.wait(within: 10)
    else { return false }
    return outcome.ending == .exited(0)
  }
}
