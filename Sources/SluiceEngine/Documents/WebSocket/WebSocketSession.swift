// A session as its handler sees it: where any thread leaves what is to be sent. The server's thread
// takes it from there.
//
// Lock order: the outbox's, then the mailbox's.

internal import SluiceSystem

/// What became of a message.
package enum WebSocketSending: Equatable, Sendable {
  /// It will be sent, unless the connection ends before.
  case queued
  /// Too much waits already. `WebSocketHandler.drained` tells when there is room again.
  case full
  /// The session is closing or over.
  case gone
}

package final class WebSocketSession: Sendable {
  /// Unique in its server.
  package let number: UInt64

  private struct Outbox {
    var messages: [WebSocketMessage] = []
    /// Of `messages`.
    var byteCount = 0
    /// What the server's thread has taken and not sent, as of its last report.
    var unsentByteCount = 0
    var close: (code: CloseCode, reason: String)?
    /// A message was refused, and `drained` has not been told since.
    var isFull = false
    var isGone = false
    /// Whether the session is in the mailbox.
    var isListed = false
    var isHeld = false
  }

  private let outbox = FutexLock(Outbox())
  private let byteCountMax: Int
  private let mailbox: WebSocketMailbox

  init(number: UInt64, byteCountMax: Int, mailbox: WebSocketMailbox) {
    self.number = number
    self.byteCountMax = byteCountMax
    self.mailbox = mailbox
  }

  // MARK: Any thread

  /// Queues a message. Never blocks.
  package func send(_ message: WebSocketMessage) -> WebSocketSending {
    outbox.withLock { outbox in
      guard !outbox.isGone, outbox.close == nil else { return .gone }
      let waiting = outbox.byteCount + outbox.unsentByteCount
      guard waiting == 0 || waiting + message.bytes.count <= byteCountMax else {
        outbox.isFull = true
        return .full
      }
      outbox.messages.append(message)
      outbox.byteCount += message.bytes.count
      list(&outbox)
      return .queued
    }
  }

  /// Ends the session once all queued messages are sent. Of several calls the first counts.
  package func close(_ code: CloseCode, reason: String = "") {
    outbox.withLock { outbox in
      guard !outbox.isGone, outbox.close == nil else { return }
      outbox.close = (code, reason)
      list(&outbox)
    }
  }

  /// Leaves the client's next bytes in its socket, or takes them again. For a handler that has enough to
  /// do. What was read already is still received.
  package func hold(_ isHeld: Bool) {
    outbox.withLock { outbox in
      outbox.isHeld = isHeld
      if !outbox.isGone { list(&outbox) }
    }
  }

  private func list(_ outbox: inout Outbox) {
    guard !outbox.isListed else { return }
    outbox.isListed = true
    mailbox.add(self)
  }

  // MARK: The server's thread

  struct Mail {
    var messages: [WebSocketMessage]
    var close: (code: CloseCode, reason: String)?
    var isHeld: Bool
  }

  func takeMail() -> Mail {
    outbox.withLock { outbox in
      let mail = Mail(messages: outbox.messages, close: outbox.close, isHeld: outbox.isHeld)
      outbox.messages = []
      outbox.unsentByteCount += outbox.byteCount
      outbox.byteCount = 0
      outbox.isListed = false
      return mail
    }
  }

  /// Notes what waits in the connection. True if the handler has to be told that there is room again.
  func report(unsentByteCount: Int) -> Bool {
    outbox.withLock { outbox in
      outbox.unsentByteCount = unsentByteCount
      guard outbox.isFull, outbox.byteCount + unsentByteCount <= byteCountMax / 2 else {
        return false
      }
      outbox.isFull = false
      return true
    }
  }

  func end() {
    outbox.withLock { outbox in
      outbox.isGone = true
      outbox.messages = []
    }
  }
}

/// The sessions that have something for the server's thread, and its bell.
final class WebSocketMailbox: Sendable {
  let bell: Bell
  private let state = FutexLock((sessions: [WebSocketSession](), isStopping: false))

  init() throws(Errno) { bell = try Bell() }

  func add(_ session: WebSocketSession) {
    let isFirst = state.withLock { state in
      state.sessions.append(session)
      return state.sessions.count == 1
    }
    if isFirst { bell.ring() }
  }

  func stop() {
    state.withLock { $0.isStopping = true }
    bell.ring()
  }

  func take() -> (sessions: [WebSocketSession], isStopping: Bool) {
    bell.silence()
    return state.withLock { state in
      let taken = state
      state.sessions = []
      return taken
    }
  }
}
