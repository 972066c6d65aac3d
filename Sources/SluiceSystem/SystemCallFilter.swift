// seccomp: the system calls that a process gives up for good. Which they are stands in
// CSluice/confinement.c.

internal import CSluice

public enum SystemCallFilter {
  /// Leaves all threads of this process what a sidecar needs that serves. With `reports` each call
  /// that is refused is named on standard error once. `forbidNewPrivileges` comes before.
  public static func enterSidecar(reports: Bool) throws(Errno) {
    _ = try check(sluice_seccomp_enter_sidecar(reports ? 1 : 0))
  }

  /// Forbids this process, and what it starts, to change what files are like: owners, permissions,
  /// times, attributes. `forbidNewPrivileges` comes before.
  public static func enterSandbox() throws(Errno) {
    _ = try check(sluice_seccomp_enter_sandbox())
  }
}
