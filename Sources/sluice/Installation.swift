// Where the files of this installation are: this program, and the library that belongs to it.

internal import CSluice
internal import CSluiceCommand
internal import SluiceSystem

struct InstallationError: Error {
  let text: String
}

enum Installation {
  /// The path of the program that runs.
  static func program() throws(InstallationError) -> String {
    do throws(Errno) {
      return String(decoding: try unsafe readSymbolicLink("/proc/self/exe"), as: UTF8.self)
    } catch {
      // Without /proc the path by which it was executed has to do.
      if let executed = unsafe sluice_command_executed_path(),
        let path = unsafe realpath(executed, nil)
      {
        defer { unsafe free(path) }
        return unsafe String(cString: path)
      }
      throw InstallationError(
        text:
          "/proc/self/exe: \(unsafe String(cString: error.text)); where /proc is not mounted this"
          + " program cannot tell where it is")
    }
  }

  /// libsluice.so: what SLUICE_LIBRARY names, else ../lib/libsluice.so beside the program.
  static func library(beside program: String) throws(InstallationError) -> String {
    if let named = unsafe environmentValue("SLUICE_LIBRARY") {
      return unsafe String(cString: named)
    }
    let directory = program.split(separator: "/", omittingEmptySubsequences: false)
      .dropLast(2).joined(separator: "/")
    let path = directory + "/lib/libsluice.so"
    guard unsafe access(zeroTerminated(path), R_OK) == 0 else {
      throw InstallationError(text: "\(path): not there; name the library in SLUICE_LIBRARY")
    }
    return path
  }
}
