// A handler for tests: sends every message back, and notes what it was told.

import SluiceSystem
import Synchronization

@testable import SluiceEngine

final class EchoHandler: WebSocketHandler {
  struct Notes: Sendable {
    var sessions: [WebSocketSession] = []
    var tokens: [String?] = []
    var spaces: [String] = []
    var messages: [WebSocketMessage] = []
    var drainedCount = 0
    var ends: [CloseCode?] = []
  }

  let notes = Mutex(Notes())
  private let echoes: Bool

  init(echoes: Bool = true) { self.echoes = echoes }

  func greet(_ request: UpgradeRequest, _ session: WebSocketSession) -> HTTPRefusal? {
    notes.withLock {
      $0.spaces.append(request.space)
      $0.tokens.append(request.token)
    }
    if request.token == "wrong" { return HTTPRefusal(status: 401, message: "Token expired") }
    notes.withLock { $0.sessions.append(session) }
    return nil
  }

  func receive(_ message: WebSocketMessage, from session: WebSocketSession) {
    notes.withLock { $0.messages.append(message) }
    if echoes { _ = session.send(message) }
  }

  func drained(_ session: WebSocketSession) { notes.withLock { $0.drainedCount += 1 } }

  func ended(_ session: WebSocketSession, code: CloseCode?) {
    notes.withLock { $0.ends.append(code) }
  }
}

/// A server on a free port of the loopback, stopped when the last reference goes.
final class EchoServer {
  let handler: EchoHandler
  let server: WebSocketServer

  init(echoes: Bool = true, _ change: (inout WebSocketLimits) -> Void = { _ in }) throws {
    var limits = WebSocketLimits()
    limits.framesPerSecondMax = 1_000_000
    limits.connectionsPerSecondMax = 10_000
    change(&limits)
    handler = EchoHandler(echoes: echoes)
    server = try WebSocketServer(
      port: 0, origins: ["https://example.com"], limits: limits, handler: handler)
    try server.run()
  }

  deinit { server.stop() }

  func peer() throws -> RawPeer { try RawPeer(port: server.port) }

  /// A peer with a session.
  func greeted() throws -> RawPeer {
    let peer = try peer()
    guard peer.greet() else { throw Refused(text: peer.text) }
    return peer
  }

  struct Refused: Error { var text: String }

  /// Waits until the handler has noted something. False after 20 s.
  func awaits(_ condition: (EchoHandler.Notes) -> Bool) -> Bool {
    let deadline = Clock.monotonicNanoseconds() + 20_000_000_000
    while Clock.monotonicNanoseconds() < deadline {
      if handler.notes.withLock({ condition($0) }) { return true }
      Clock.sleep(nanoseconds: 5_000_000)
    }
    return false
  }
}
