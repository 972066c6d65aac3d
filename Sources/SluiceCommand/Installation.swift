// Where the files of this installation are: this program, the sidecar and the library.

internal import CSluice
internal import CSluiceCommand
internal import SluiceSystem

package struct InstallationError: Error {
  package let text: String
}

package enum Installation {
  /// The path of the program that runs.
  package static func program() throws(InstallationError) -> String {
    do throws(Errno) {
      return text(ofBytes: try unsafe readSymbolicLink("/proc/self/exe"))
    } catch {
      // Without /proc, the path by which it was executed must do.
      if let executed = unsafe sluice_command_executed_path(),
        let path = unsafe realpath(executed, nil)
      {
        defer { unsafe free(path) }
        return unsafe text(of: path)
      }
      throw InstallationError(
        text:
          "/proc/self/exe: \(unsafe String(cString: error.text)); where /proc is not mounted this"
          + " program cannot tell where it is")
    }
  }

  /// The sidecar's program: what SLUICE_SIDECAR names, else `sluice` in the directory of `program`.
  package static func sidecar(beside program: String) throws(InstallationError) -> String {
    try self.program("sluice", "the sidecar's", "SLUICE_SIDECAR", beside: program)
  }

  /// The engine's program: what SLUICE_ENGINE names, else `sluice-engine` in the directory of
  /// `program`.
  package static func engine(beside program: String) throws(InstallationError) -> String {
    try self.program("sluice-engine", "the engine's", "SLUICE_ENGINE", beside: program)
  }

  private static func program(
    _ name: String, _ owner: String, _ variable: StaticString, beside program: String
  ) throws(InstallationError) -> String {
    if let named = unsafe environmentValue(variable) {
      let path = unsafe text(of: named)
      guard unsafe access(named, X_OK) == 0 else {
        throw InstallationError(text: "\(variable): \(path): \(lastErrorText())")
      }
      return path
    }
    let path = directory(of: program, levels: 1) + "/" + name
    guard unsafe access(zeroTerminated(path), X_OK) == 0 else {
      throw InstallationError(
        text: "\(path): \(lastErrorText()); name \(owner) program in \(variable)")
    }
    return path
  }

  /// libsluice.so: what SLUICE_LIBRARY names, else ../lib/libsluice.so beside the program.
  package static func library(beside program: String) throws(InstallationError) -> String {
    if let named = unsafe environmentValue("SLUICE_LIBRARY") {
      let path = unsafe text(of: named)
      guard unsafe access(named, R_OK) == 0 else {
        throw InstallationError(text: "SLUICE_LIBRARY: \(path): \(lastErrorText())")
      }
      return path
    }
    let path = directory(of: program, levels: 2) + "/lib/libsluice.so"
    guard unsafe access(zeroTerminated(path), R_OK) == 0 else {
      throw InstallationError(text: "\(path): not there; name the library in SLUICE_LIBRARY")
    }
    return path
  }

  /// The path without its last `levels` parts.
  package static func directory(of path: String, levels: Int) -> String {
    path.split(separator: "/", omittingEmptySubsequences: false).dropLast(levels)
      .joined(separator: "/")
  }
}
