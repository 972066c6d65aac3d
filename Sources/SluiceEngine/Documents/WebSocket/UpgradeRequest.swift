// The request by which a client begins a session (RFC 6455, section 4), and what a server answers.

internal import CCrypto

package struct UpgradeRequest: Equatable, Sendable {
  /// From `/api/storage/new/v2/<space>/ws`, without its percent-encoding. Nothing else is known of it.
  package let space: String
  /// What the client shows: of `Authorization: Bearer …`, or else of `?token=…`.
  package let token: String?
  private let key: String

  private static let pathStart = Array("/api/storage/new/v2/".utf8)
  private static let pathEnd = Array("/ws".utf8)
  private static let keyByteCount = 16

  /// Throws the answer to what is no such request.
  init(_ head: HTTPHead, origins: OriginRule) throws(HTTPRefusal) {
    guard head.path.starts(with: Self.pathStart), head.path.suffix(3) == Self.pathEnd[...],
      head.path.count > Self.pathStart.count + Self.pathEnd.count
    else { throw .notFound }
    let name = head.path[Self.pathStart.count..<head.path.count - Self.pathEnd.count]
    guard !name.contains(UInt8(ascii: "/")) else { throw .notFound }

    guard head.method == "GET", head.lists("upgrade", "websocket"),
      head.lists("connection", "upgrade")
    else { throw .upgradeRequired }
    guard try head.field("sec-websocket-version") == "13" else { throw .badVersion }
    guard try head.field("host") != nil, try head.field("transfer-encoding") == nil,
      try head.field("content-length") ?? "0" == "0",
      let key = try head.field("sec-websocket-key"),
      Base64.standard.bytes(of: Array(key.utf8))?.count == Self.keyByteCount
    else { throw .badRequest }
    self.key = key
    guard let space = percentDecoded(name) else { throw .badRequest }
    self.space = space
    token = try Self.token(head)
    // A program that is no browser sends no origin. A browser always does, and cannot be made to lie.
    if let origin = try head.field("origin"), !origins.allows(origin) { throw .badOrigin }
  }

  private static func token(_ head: HTTPHead) throws(HTTPRefusal) -> String? {
    if let field = try head.field("authorization") {
      let words = field.split(separator: " ", omittingEmptySubsequences: true)
      guard words.count == 2, isSameWord(words[0].utf8, "bearer") else { throw .badRequest }
      return String(words[1])
    }
    let name = Array("token=".utf8)
    let values = head.query.filter { $0.starts(with: name) }
    guard let value = values.first else { return nil }
    guard values.count == 1, let token = percentDecoded(value[name.count...]) else {
      throw .badRequest
    }
    return token
  }

  /// The answer that begins the session.
  var acceptance: [UInt8] {
    Array(
      ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        + "Sec-WebSocket-Accept: \(Self.proof(ofKey: key))\r\n\r\n").utf8)
  }

  /// The SHA-1 of the key and the RFC's own text, in base64.
  static func proof(ofKey key: String) -> String {
    let text = Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)
    var digest = [UInt8](repeating: 0, count: Int(ccrypto_sha1_byte_count))
    unsafe ccrypto_sha1(text, text.count, &digest)
    return Base64.standard.text(of: digest)
  }
}

/// The web pages whose scripts may come: a list of origins, compared as they stand. A page of another
/// site could otherwise use its visitor's way to a server on the loopback.
package struct OriginRule: Sendable {
  private let allowed: Set<ExactText>

  package init(_ allowed: [String]) { self.allowed = Set(allowed.map { ExactText($0) }) }

  func allows(_ origin: String) -> Bool { allowed.contains(ExactText(origin)) }
}
