// The sandbox of `sluice run --sandbox`: a command in it changes no file of this machine. It still
// has its databases, through a sidecar that was started outside the sandbox.
//
// Landlock denies the command, and all programs that it starts, every right by which files change.
// The exceptions are /dev/null, /dev/zero, /dev/full and the terminal on which the command was
// started. A seccomp filter denies the changes that Landlock does not cover: owners, permissions,
// times and attributes. Reading and executing stay allowed, and so do the descriptors that the
// command was given. Landlock does not treat a socket with a path as a file: the command may
// connect to the sidecar's (and to other services of this user).

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem

enum Sandbox {
  /// Before version 3 a program could still truncate a file by its path.
  private static let versionMinimum = 3

  /// Why this machine cannot have a sandbox; nil if it can.
  static var obstacle: String? {
    switch LandlockRuleset.version {
    case 0: "this kernel has no Landlock, or it is turned off"
    case ..<versionMinimum: "this kernel's Landlock does not know of truncation; Linux 6.2 does"
    default: nil
    }
  }

  /// Puts this process into the sandbox for good.
  static func enter() throws(Errno) {
    try forbidNewPrivileges()
    let ruleset = try LandlockRuleset(denying: .allChanges, isolates: false)
    for device in ["/dev/null", "/dev/zero", "/dev/full", "/dev/tty"] {
      allowWriting(zeroTerminated(device), in: ruleset)
    }
    // Landlock uses the file behind the descriptor.
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
