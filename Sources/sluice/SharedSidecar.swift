// A shared sidecar that this program starts for others, and that ends when nobody needs it.

internal import CSluice
internal import SluiceSystem

struct SidecarStartError: Error {
  let text: String
}

struct SharedSidecar: ~Copyable {
  let process: Int32
  let socket: String
  /// The sidecar lasts as long as this descriptor is open anywhere.
  let lifeline: FileDescriptor

  /// Starts a sidecar for `root` on a socket with a new name in the temporary directory, and waits
  /// until it answers.
  static func start(
    _ program: String, root: String
  ) throws(SidecarStartError) -> SharedSidecar {
    do throws(Errno) {
      let pair = try SocketPair()
      let socket = try unusedSocketPath()
      let words = ["serve", "--root", root, "--socket", socket, "--quiet", "--lifeline"]
      let sidecar = try unsafe SpawnedProcess.start(
        zeroTerminated(program), arguments: words.map(zeroTerminated), descriptor: pair.theirs)
      // It says on standard error why it does not start.
      for _ in 0..<1000 {
        if (try? unsafe FileDescriptor.connect(toSocket: zeroTerminated(socket))) != nil {
          let ours = pair.ours
          return SharedSidecar(process: sidecar.id, socket: socket, lifeline: ours)
        }
        if !processExists(sidecar.id) { break }
        Clock.sleep(nanoseconds: 10_000_000)
      }
    } catch {
      throw SidecarStartError(text: "sidecar: \(unsafe String(cString: error.text))")
    }
    throw SidecarStartError(text: "the sidecar for \(root) did not start")
  }

  /// Ends the sidecar, whoever else holds its lifeline, and waits for that, at most ten seconds.
  consuming func stop() {
    let end = try? FileDescriptor.processEnd(of: process)
    lifeline.shutDown()
    _ = end?.awaitReadable(timeoutMilliseconds: 10_000)
  }
}

private func unusedSocketPath() throws(Errno) -> String {
  var random: UInt64 = 0
  try unsafe withUnsafeMutableBytes(of: &random) { (bytes) throws(Errno) in
    try unsafe fillWithRandomBytes(bytes)
  }
  let directory = unsafe environmentValue("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
  return "\(directory)/sluice-\(String(random, radix: 36)).socket"
}
