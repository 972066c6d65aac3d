// A WebSocket server on a thread of its own: it listens, reads whole messages for a handler, and sends
// what any thread leaves in a session. It knows nothing of documents.
//
// One poll(2) loop has all connections, so that none has a thread, and none waits for another but for
// the handler. TLS is left to a proxy in front. The listener is made before the process is confined;
// after that the loop needs accept4, recvmsg, sendmsg, shutdown, setsockopt, poll and nanosleep only.

internal import SluiceServer
package import SluiceSystem

package final class WebSocketServer: Sendable {
  /// The port on which it listens.
  package let port: UInt16
  private let mailbox: WebSocketMailbox
  private let start: FutexLock<Start>

  private struct Start: Sendable {
    var listener: SharedDescriptor?
    var thread: JoinableThread?
  }

  private let limits: WebSocketLimits
  private let origins: OriginRule
  private let handler: any WebSocketHandler

  /// Listens on an IPv4 or IPv6 address. Pages of this server itself may come from the loopback; pages
  /// of other origins only if they are listed, as `https://example.com`.
  package init(
    address: String = "127.0.0.1", port: UInt16, origins: [String] = [],
    limits: WebSocketLimits = WebSocketLimits(), handler: any WebSocketHandler
  ) throws(Errno) {
    let listener = try unsafe FileDescriptor.listen(
      onAddress: cString(address), port: port, backlog: 128)
    let port = try listener.port()
    self.port = port
    mailbox = try WebSocketMailbox()
    let own = ["127.0.0.1", "localhost", "[::1]"].map { "http://\($0):\(port)" }
    self.origins = OriginRule(origins + own)
    self.limits = limits
    self.handler = handler
    start = FutexLock(Start(listener: SharedDescriptor(listener)))
  }

  /// Begins to serve. To be called once.
  package func run() throws(Errno) {
    let listener = start.withLock { $0.listener.take() }
    guard let listener else { preconditionFailure("a server runs once") }
    let thread = try Thread("sluice-websock") { [limits, origins, handler, mailbox] in
      let loop = WebSocketLoop(
        listener: listener, limits: limits, origins: origins, handler: handler, mailbox: mailbox)
      loop.run()
    }
    let joinable = JoinableThread(thread)
    start.withLock { $0.thread = joinable }
  }

  /// Closes all sessions as going away, waits until they are over or the time for closing is up, and
  /// ends. Not to be called on the server's thread.
  package func stop() {
    mailbox.stop()
    let thread = start.withLock { $0.thread.take() }
    thread?.join()
  }
}
