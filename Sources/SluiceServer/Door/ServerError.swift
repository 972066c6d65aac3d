// Why a server does not start.

package import SluiceSystem

package enum ServerError: Error, Sendable {
  /// Another server serves this socket.
  case socketInUse(path: String)
  /// The socket's name is taken by something that is no socket.
  case socketNameTaken(path: String)
  case socket(path: String, Errno)

  package var description: String {
    switch self {
    case .socketInUse(let path): "socket \(path): another sidecar is serving it"
    case .socketNameTaken(let path):
      "socket \(path): the name is taken by something that is no socket;"
        + " remove it or choose another name"
    case .socket(let path, let errno): "socket \(path): \(errno.message)"
    }
  }
}
