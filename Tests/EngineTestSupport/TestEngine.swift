// An engine in this process, on a directory of its own.

package import Foundation
package import SluiceClient
internal import SluiceServer
internal import SluiceSystem

@testable package import SluiceEngine
@testable internal import SluiceServer

/// Where the engine runs.
package enum EnginePlace: String, CaseIterable, Sendable {
  /// Threads of this process at the other ends of the channels.
  case inProcess
  /// A server on a socket, as the engine's process is.
  case onSocket
}

/// It ends with the last reference, and so does its directory.
package final class TestEngine: @unchecked Sendable {
  package let directory: URL
  package let offer: EngineOffer
  /// Where it listens, if it does.
  package let socket: String?
  private let lifeline: SharedDescriptor?
  private let thread: JoinableThread?

  /// `name` is that of the directory; `offer` makes what the engine serves there.
  package init(_ name: String, _ place: EnginePlace, offer: (URL) throws -> EngineOffer) throws {
    directory = FileManager.default.temporaryDirectory.resolvingSymlinksInPath()
      .appending(path: "\(name)-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    let offer = try offer(directory)
    self.offer = offer
    guard place == .onSocket else {
      (socket, lifeline, thread) = (nil, nil, nil)
      return
    }
    let socket = directory.appending(path: "socket").path
    self.socket = socket
    let pair = try SocketPair()
    lifeline = SharedDescriptor(pair.ours)
    let far = SharedDescriptor(pair.theirs)
    let listening = try listen(onSocket: socket.utf8CString.map { $0 }, permissions: 0o600)
    thread = JoinableThread(
      try Thread("test-engine") {
        do throws(Errno) {
          let server = try Server(
            EngineService(offer), ServerConfiguration(),
            .shared(listening.listener, lifeline: far), metrics: Metrics(),
            socketName: listening.name)
          try server.run()
        } catch {
          fatalError("\(error)")
        }
      })
  }

  deinit {
    lifeline?.descriptor.shutDown()
    thread?.join()
    try? FileManager.default.removeItem(at: directory)
  }

  package func session() throws -> RingSession {
    if let socket { return try RingSession.connect(toSocket: socket.utf8CString.map { $0 }) }
    return try LocalChannel.connect(to: offer)
  }
}
