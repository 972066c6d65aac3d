// The sidecar of `sluice run`, which serves the host's own names to the command and all programs
// that it starts.
//
// That sidecar has the rights that `sluice run` had. A thread whose standing is another must not
// use it, because it would get rights that it does not have (or lose some that it has). So `run`
// puts a mark of its own standing into the environment, beside the socket:
//
//   SLUICE_RUN=MARK SOCKET
//
// A mark or a socket that is wrong, out of date or forged leads to a private sidecar. A process
// that connects to the socket without asking for the mark has no more rights than any process of
// this user that reaches the socket.

internal import SluiceSystem

/// The socket of the sidecar of `sluice run`, if a thread with this standing, which is the calling
/// thread's, may use that sidecar.
func runSocket(for standing: Standing) -> UnsafePointer<CChar>? {
  guard let value = unsafe environmentValue("SLUICE_RUN") else { return nil }
  return unsafe standing.marked(value)
}
