// A shared sidecar that this program starts. It ends when no program needs it any more.

internal import CSluice
internal import SluiceSystem

package struct SidecarStartError: Error {
  package let text: String

  init(text: String) { self.text = text }
  init(errno: Errno) { text = "sidecar: \(unsafe String(cString: errno.text))" }
}

package struct SharedSidecar: ~Copyable {
  package let process: Int32
  package let socket: String
  /// The sidecar lasts as long as this descriptor is open.
  let lifeline: FileDescriptor

  /// Starts a sidecar for `root` that lasts until `stop`, or the end of this process. `options` are
  /// further ones of `sluice serve`.
  package static func start(
    _ program: String, root: String, options: [String] = []
  ) throws(SidecarStartError) -> SharedSidecar {
    let pair: SocketPair
    do throws(Errno) { pair = try SocketPair() } catch { throw SidecarStartError(errno: error) }
    let ours = pair.ours
    let started = try launch(program, ["--root", root] + options, lifeline: pair.theirs, linger: 0)
    return SharedSidecar(process: started.process, socket: started.socket, lifeline: ours)
  }

  /// Starts a sidecar for `root` that lasts until this process has ended, even if the process has
  /// become another program, and then until it has had no session for `lingerMilliseconds`. The
  /// process holds nothing for that: the sidecar watches it by a pidfd. Returns the socket's path.
  /// `directories` are as `sluice serve --also` takes them. Without a root the sidecar serves the
  /// host's own names, with this process's rights.
  package static func startForThisProcess(
    _ program: String, root: String?, also directories: [String] = []
  ) throws(SidecarStartError) -> String {
    let end: FileDescriptor
    do throws(Errno) {
      end = try FileDescriptor.processEnd(of: processIdentity().process)
    } catch {
      throw SidecarStartError(errno: error)
    }
    let served =
      root.map { ["--root", $0] + directories.flatMap { ["--also", $0] } }
      ?? ["--host-names", "--capabilities", String(Standing.current.capabilities)]
    return try launch(program, served, lifeline: end, linger: lingerMilliseconds).socket
  }

  /// A command may start programs in the background, which open their databases a while later.
  private static let lingerMilliseconds = 10_000

  /// Starts a sidecar for what the words `served` name, on a socket with a new name, and waits until
  /// it answers.
  private static func launch(
    _ program: String, _ served: [String], lifeline: borrowing FileDescriptor, linger: Int
  ) throws(SidecarStartError) -> (process: Int32, socket: String) {
    do throws(Errno) {
      let socket = try unusedSocketPath()
      let words =
        ["serve"] + served
        + ["--socket", socket, "--quiet", "--lifeline", "--linger", String(linger)]
      let sidecar = try unsafe SpawnedProcess.start(
        zeroTerminated(program), arguments: words.map(zeroTerminated), descriptor: lifeline)
      // If it does not start, it says why on standard error.
      for _ in 0..<10_000 {
        if (try? unsafe FileDescriptor.connect(toSocket: zeroTerminated(socket))) != nil {
          return (sidecar.id, socket)
        }
        if !processExists(sidecar.id) { break }
        Clock.sleep(nanoseconds: 1_000_000)
      }
    } catch {
      throw SidecarStartError(errno: error)
    }
    throw SidecarStartError(text: "the sidecar did not start")
  }

  /// Ends the sidecar and waits for its end, at most ten seconds.
  package consuming func stop() {
    let end = try? FileDescriptor.processEnd(of: process)
    lifeline.shutDown()
    _ = end?.awaitReadable(timeoutMilliseconds: 10_000)
  }
}
