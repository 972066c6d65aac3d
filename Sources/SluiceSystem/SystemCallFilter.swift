// seccomp: the system calls that a process gives up for good. CSluice/confinement.c and
// CSluice/sandbox.c list them.

internal import CSluice

public enum SystemCallFilter {
  /// Leaves all threads of this process only the calls that a serving sidecar needs. With
  /// `reports`, each refused call is named once on standard error. Call `forbidNewPrivileges`
  /// first.
  /// With `isClient` it is also a client of another sidecar, with which it has a session already.
  public static func enterSidecar(reports: Bool, isClient: Bool = false) throws(Errno) {
    _ = try check(sluice_seccomp_enter_sidecar(reports ? 1 : 0, isClient ? 1 : 0))
  }

  /// Forbids this process, and the programs that it starts, to change the properties of files:
  /// owners, permissions, times, attributes. Call `forbidNewPrivileges` first.
  public static func enterSandbox() throws(Errno) {
    _ = try check(sluice_seccomp_enter_sandbox())
  }

  /// Instead makes these calls, and those by which files change, wait for a supervisor. Returns the
  /// descriptor on which the supervisor gets them. This process must have one thread.
  public static func enterSupervisedSandbox() throws(Errno) -> FileDescriptor {
    FileDescriptor(owning: try check(sluice_seccomp_enter_supervised_sandbox()))
  }
}
