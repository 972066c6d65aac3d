// What a server's process gives up before it serves. An attacker that takes it over through its
// clients' shared memory then has little more than what it serves:
//
//   no new privileges  nothing that the process might execute has more rights than it has.
//   Landlock           what the service says that it needs. In the directories of the socket and of
//                      the metrics: remove names, because a server removes its names when it ends.
//                      Nothing else anywhere; no TCP; no signals or abstract sockets to processes
//                      outside.
//   seccomp            the system calls that it makes, see CSluice/confinement.c.
//
// All of it binds threads that are started later; at this point there is one. It is depth, not the
// wall: a service keeps to what it serves without a Landlock too. So a kernel that cannot do one of
// these is named in the log and is no reason not to serve.

package import SluiceSystem

/// How far a server confines its process.
public enum Confinement: Sendable {
  case none
  case full
  /// Also name on standard error, once, each system call that is refused.
  case reporting
}

extension Confinement {
  /// Confines this process for good. `allow` allows what the service needs. `socketPath`
  /// (zero-terminated) is the name to remove at the end; nil for none. Without Landlock the log
  /// says so if `tellsOfLandlock`. `isClient`: it also has a session with another sidecar.
  package func enter(
    socketPath: [CChar]?, tellsOfLandlock: Bool, isClient: Bool = false,
    allow: (borrowing LandlockRuleset) throws(Errno) -> Void
  ) {
    guard self != .none else { return }
    do throws(Errno) {
      try forbidNewPrivileges()
    } catch {
      Log.warning("confinement: no_new_privs: \(error.message); not confined")
      return
    }
    do throws(Errno) {
      let ruleset = try LandlockRuleset(denying: .all, isolates: true)
      try allow(ruleset)
      if let socketPath { try allowToTakeNamesAlong(socketPath, in: ruleset) }
      try ruleset.enter()
    } catch {
      if tellsOfLandlock {
        Log.warning("confinement: Landlock: \(error.message); openat2 alone keeps to the root")
      }
    }
    do throws(Errno) {
      try SystemCallFilter.enterSidecar(reports: self == .reporting, isClient: isClient)
    } catch {
      Log.warning("confinement: seccomp: \(error.message); any system call is possible")
    }
  }
}

private func allowToTakeNamesAlong(
  _ socketPath: [CChar], in ruleset: borrowing LandlockRuleset
) throws(Errno) {
  try ruleset.allowRemovingNames(in: openDirectory(ofSocket: socketPath))
  // Without /dev/shm there are no metrics to remove.
  if let metrics = try? unsafe FileDescriptor.open(cString("/dev/shm"), [.directory, .pathOnly]) {
    try ruleset.allowRemovingNames(in: metrics)
  }
}
