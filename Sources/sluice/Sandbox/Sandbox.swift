// The sandbox of `sluice run --sandbox`: a command in it changes no file of this machine outside of
// the directories that `--writable` names. It still has its databases, through a sidecar that was
// started outside the sandbox.
//
// Landlock denies the command, and all programs that it starts, every right by which files change.
// The exceptions are the writable directories, a /dev/shm of the sandbox's own, /dev/null,
// /dev/zero, /dev/full and the terminal on which the command was started. A seccomp filter denies
// the changes that Landlock does not cover: owners, permissions, times and attributes. In the
// writable directories the supervisor makes them (SandboxSupervisor). Reading and executing stay
// allowed, and so do the descriptors that the command was given. Landlock does not treat a socket
// with a path as a file: the command may connect to the sidecar's (and to other services of this
// user).

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem

struct Sandbox {
  /// Before version 3 a program could still truncate a file by its path.
  private static let versionMinimum = 3

  /// What the keeper of the command does.
  let supervisor: SandboxSupervisor
  private let isQuiet: Bool

  /// Why this machine cannot have a sandbox; nil if it can.
  static var obstacle: String? {
    switch LandlockRuleset.version {
    case 0: "this kernel has no Landlock, or it is turned off"
    case ..<versionMinimum: "this kernel's Landlock does not know of truncation; Linux 6.2 does"
    default: nil
    }
  }

  /// A sandbox for a command whose sidecar is reached on `socket`.
  init(places: WritablePlaces, socket: String, isQuiet: Bool) throws(Errno) {
    supervisor = try SandboxSupervisor(places: places, socket: socket, isQuiet: isQuiet)
    self.isQuiet = isQuiet
  }

  /// Puts this process, the command's, into the sandbox for good.
  func enter() throws(Errno) {
    try forbidNewPrivileges()
    let ruleset = try LandlockRuleset(denying: .allChanges, isolates: false)
    try supervisor.places.allow(in: ruleset)
    try ruleset.enter()
    do throws(Errno) {
      try supervisor.give(SystemCallFilter.enterSupervisedSandbox())
    } catch {
      // Where another supervisor asks already, the sandbox is the same but for attributes.
      try? supervisor.give(nil)
      try SystemCallFilter.enterSandbox()
      if !isQuiet {
        printError(
          "sluice: run: --sandbox: no supervisor: \(unsafe String(cString: error.text)); owners,"
            + " permissions and times stay as they are in writable directories too, and what the"
            + " sandbox refuses is not reported")
      }
    }
  }
}
