// What a sidecar gives up once its root and its socket are open, so that whoever should get hold of
// it through its clients' shared memory gets hold of little more than the files that it serves:
//
//   no new privileges  nothing that it might execute has more rights than it has.
//   Landlock           beneath the root: read, write, make, remove and cut off files, list
//                      directories. In the socket's directory and in /dev/shm: remove files, for it
//                      takes its names along when it ends. Nowhere else anything; no TCP, and no
//                      signals or abstract sockets to processes outside. With the host's own paths
//                      the root is `/`: what remains forbidden is to execute, and to make or remove
//                      anything but files. Read-only, beneath the root only reading, and unnamed
//                      files in the host's temporary directory.
//   seccomp            the system calls that it makes, see CSluice/confinement.c.
//
// All of it binds threads that are started later; at this point there is one. It is depth, not the
// wall: paths are confined by Root, whether or not there is a Landlock. Hence a kernel that cannot do
// one of these is named in the log, and no reason not to serve.
//
// Links of /proc lead to files, and Landlock judges the file: /proc itself needs no right, for
// reading a link is no right that Landlock knows of.

internal import SluiceSystem

/// How far a sidecar confines itself.
public enum Confinement: Sendable {
  case none
  case full
  /// Also name on standard error, once, each system call that is refused.
  case reporting
}

extension Confinement {
  /// Confines this process for good as a sidecar would be that serves `rootPath` (zero-terminated).
  public func enter(rootPath: [CChar]) throws(SidecarError) {
    do throws(Errno) {
      enter(root: try Root(rootPath), socketPath: nil)
    } catch {
      throw .root(path: String(zeroTerminated: rootPath), error)
    }
  }

  /// Confines this process for good. `socketPath` is nil for a private sidecar.
  func enter(root: Root, socketPath: [CChar]?) {
    guard self != .none else { return }
    do throws(Errno) {
      try forbidNewPrivileges()
    } catch {
      Log.warning("confinement: no_new_privs: \(error.message); not confined")
      return
    }
    do throws(Errno) {
      try enterLandlock(root, socketPath)
    } catch {
      // A private sidecar would say so to every program that starts one, and loses less.
      if !root.usesHostPaths {
        Log.warning("confinement: Landlock: \(error.message); openat2 alone keeps to the root")
      }
    }
    do throws(Errno) {
      try SystemCallFilter.enterSidecar(reports: self == .reporting)
    } catch {
      Log.warning("confinement: seccomp: \(error.message); any system call is possible")
    }
  }

  private func enterLandlock(_ root: Root, _ socketPath: [CChar]?) throws(Errno) {
    let ruleset = try LandlockRuleset(denying: .all, isolates: true)
    try root.allowItsUse(in: ruleset)
    if let socketPath {
      try ruleset.allow(.removeFile, at: openDirectory(ofSocket: socketPath))
      // Without /dev/shm there are no metrics to remove.
      if let metrics = try? unsafe FileDescriptor.open(
        cString("/dev/shm"), [.directory, .pathOnly])
      {
        try ruleset.allow(.removeFile, at: metrics)
      }
    }
    try ruleset.enter()
  }
}
