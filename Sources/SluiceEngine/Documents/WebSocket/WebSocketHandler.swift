// Who answers the clients of a WebSocketServer. All calls come on the server's thread, one after the
// other, and must not wait: other clients wait meanwhile. `send`, `close` and `hold` of a session may be
// called within them.

package protocol WebSocketHandler: AnyObject, Sendable {
  /// Whether the client may have a session: nil, or the answer that refuses it. Of a session that is
  /// refused nothing is heard any more.
  func greet(_ request: UpgradeRequest, _ session: WebSocketSession) -> HTTPRefusal?

  /// A whole message. Messages of a session come in their order.
  func receive(_ message: WebSocketMessage, from session: WebSocketSession)

  /// There is room again after `send` has given `full`.
  func drained(_ session: WebSocketSession)

  /// The session is over, once for each that was greeted. `code` is why, nil if the connection was lost
  /// or the client gave no code.
  func ended(_ session: WebSocketSession, code: CloseCode?)
}
