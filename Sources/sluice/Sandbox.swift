// The sandbox of `sluice run --sandbox`: a command that changes no file of this machine, and has its
// databases all the same, through a sidecar that was started outside of it.
//
// Landlock denies the command, and all that it starts, every right by which files change, everywhere
// but at /dev/null, /dev/zero, /dev/full and the terminal that it was started on. A seccomp filter
// denies what Landlock does not know of: owners, permissions, times and attributes. Reading and
// executing stay as they were, and so do descriptors that the command was given. Sockets by path are
// no file system to Landlock: connecting to the sidecar's is as free as before (and so is talking to
// other services of this user).

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem

enum Sandbox {
  /// Before version 3 a file could still be cut off by its path.
  private static let versionMinimum = 3

  /// Why no sandbox can be had here, if it cannot.
  static var obstacle: String? {
    switch LandlockRuleset.version {
    case 0: "this kernel has no Landlock, or it is turned off"
    case ..<versionMinimum: "this kernel's Landlock does not know of truncation; Linux 6.2 does"
    default: nil
    }
  }

  /// Shuts this process in for good.
  static func enter() throws(Errno) {
    try forbidNewPrivileges()
    let ruleset = try LandlockRuleset(denying: .allChanges, isolates: false)
    for device in ["/dev/null", "/dev/zero", "/dev/full", "/dev/tty"] {
      allowWriting(zeroTerminated(device), in: ruleset)
    }
    // Landlock takes the file that a descriptor stands for.
    for descriptor in 0...2 as ClosedRange<Int32> where isatty(descriptor) == 1 {
      let file = FileDescriptor(owning: descriptor)
      try? ruleset.allow(.writeFile, at: file)
      _ = file.release()
    }
    try ruleset.enter()
    try SystemCallFilter.enterSandbox()
  }

  /// A machine may have no such device.
  private static func allowWriting(_ path: [CChar], in ruleset: borrowing LandlockRuleset) {
    guard let file = try? unsafe FileDescriptor.open(path, [.pathOnly]) else { return }
    try? ruleset.allow([.writeFile, .truncate], at: file)
  }
}
