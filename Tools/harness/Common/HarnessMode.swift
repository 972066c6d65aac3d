// What every mode of the harness has: a run that gives an exit code, and some options.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem

/// What `sluice-harness MODE` does.
protocol HarnessMode {
  /// Returns the exit code.
  func run() throws(HarnessError) -> Int32
}

/// The options that all modes have.
struct HarnessParameters {
  let socket: String?
  let directory: String
  let seed: UInt64
  let isJSON: Bool

  init(_ options: inout Options) throws(CommandError) {
    socket = try options.value("--socket")
    directory = try options.value("--directory") ?? HarnessParameters.standardDirectory
    let seed = try options.value("--seed").map { (text) throws(CommandError) in
      guard let number = UInt64(text) else {
        throw .usage("--seed takes a number from 0 to \(UInt64.max)")
      }
      return number
    }
    self.seed = seed ?? UInt64(Clock.realtimeMilliseconds()) % 1_000_000_000
    isJSON = options.flag("--json")
  }

  /// The harness's files need not outlive it, and memory is at least as fast as a disk.
  private static var standardDirectory: String {
    if unsafe access("/dev/shm", W_OK) == 0 { return "/dev/shm" }
    return unsafe environmentValue("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
  }

  func sidecar() throws(HarnessError) -> HarnessSidecar {
    if let socket { return try HarnessSidecar(socket: socket) }
    return try HarnessSidecar(startedBelow: directory)
  }
}
