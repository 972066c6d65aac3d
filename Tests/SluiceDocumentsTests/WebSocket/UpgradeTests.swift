// The upgrade: the request's head, who may come, and the answers to all others.

import Testing

@testable import SluiceEngine

@Suite struct UpgradeTests {
  private let origins = OriginRule(["https://example.com"])

  private func head(
    _ line: String = "GET /api/storage/new/v2/did:key:z6Mk/ws HTTP/1.1", _ changes: [String] = [],
    without names: Set<String> = []
  ) -> String {
    let ordinary = [
      "Host: localhost:8000", "Upgrade: websocket", "Connection: keep-alive, Upgrade",
      "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ].filter { field in !names.contains { field.hasPrefix($0 + ":") } }
    return ([line] + ordinary + changes).joined(separator: "\r\n") + "\r\n\r\n"
  }

  private func request(_ text: String) -> Result<UpgradeRequest, HTTPRefusal> {
    do throws(HTTPRefusal) {
      let head = try HTTPHead(Array(text.utf8)[...], fieldCountMax: 16)
      return .success(try UpgradeRequest(head, origins: origins))
    } catch { return .failure(error) }
  }

  private func status(_ text: String) -> Int {
    switch request(text) {
    case .success: 101
    case .failure(let refusal): refusal.status
    }
  }

  /// RFC 6455, section 1.3.
  @Test func theProofIsThatOfTheRFC() {
    #expect(
      UpgradeRequest.proof(ofKey: "dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
  }

  @Test func theSpaceComesWithoutItsEncoding() throws {
    let request = try request(
      head("GET /api/storage/new/v2/did%3akey%3Az6Mk%2Fx%C3%A9/ws?a=1 HTTP/1.1")
    ).get()
    #expect(request.space == "did:key:z6Mk/xé")
    #expect(request.token == nil)
    #expect(
      String(decoding: request.acceptance, as: UTF8.self).hasPrefix(
        "HTTP/1.1 101 Switching Protocols\r\n"))
  }

  @Test func theTokenComesFromTheHeaderOrTheQuery() throws {
    let line = "GET /api/storage/new/v2/s/ws?x=y&token=a.b%2Ec HTTP/1.1"
    #expect(try request(head(line)).get().token == "a.b.c")
    #expect(try request(head(line, ["Authorization: bearer  d.e.f "])).get().token == "d.e.f")
    #expect(status(head(line, ["Authorization: Basic eDp5"])) == 400)
    #expect(status(head("GET /api/storage/new/v2/s/ws?token=a&token=b HTTP/1.1")) == 400)
    #expect(status(head("GET /api/storage/new/v2/s/ws?token=%zz HTTP/1.1")) == 400)
  }

  @Test(arguments: [
    ("/", 404), ("/api/storage/new/v2/ws", 404), ("/api/storage/new/v2//ws", 404),
    ("/api/storage/new/v2/a/b/ws", 404), ("/api/storage/new/v1/s/ws", 404),
    ("/api/storage/new/v2/s/ws/", 404), ("/api/storage/new/v2/%zz/ws", 400),
    ("/api/storage/new/v2/%ff/ws", 400), ("/api/storage/new/v2/%2/ws", 400),
    ("/api/storage/new/v2/s/ws#x", 400), ("http://h/api/storage/new/v2/s/ws", 400), ("*", 400),
    ("/api/storage/new/v2/é/ws", 400),
  ])
  func otherPathsAreRefused(path: String, expected: Int) {
    #expect(status(head("GET \(path) HTTP/1.1")) == expected)
  }

  @Test(arguments: [
    "GET /x HTTP/1.0", "GET /x HTTP/2", "GET  /x HTTP/1.1", "GET /x", " GET /x HTTP/1.1",
    "GET /x HTTP/1.1 ", "GE T /x HTTP/1.1", "", "PRI * HTTP/2.0",
  ])
  func otherRequestLinesAreNoRequests(line: String) { #expect(status(head(line)) == 400) }

  @Test func whatIsNoUpgradeIsToldSo() {
    for names in [["Upgrade"], ["Connection"]] as [Set<String>] {
      #expect(request(head(without: names)) == .failure(.upgradeRequired))
    }
    #expect(status(head("POST /api/storage/new/v2/s/ws HTTP/1.1")) == 400)
    #expect(
      String(decoding: HTTPRefusal.upgradeRequired.response, as: UTF8.self)
        == "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/json\r\n"
        + "Content-Length: 40\r\n\r\n{\"error\":{\"message\":\"Upgrade required\"}}")
  }

  @Test func theVersionIs13() {
    #expect(status(head(without: ["Sec-WebSocket-Version"])) == 426)
    let eight = head(
      "GET /api/storage/new/v2/s/ws HTTP/1.1", ["Sec-WebSocket-Version: 8"],
      without: ["Sec-WebSocket-Version"])
    #expect(status(eight) == 426)
  }

  @Test(arguments: [
    ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="], ["Host: x"], ["Sec-WebSocket-Version: 13"],
    ["Content-Length: 1"], ["Transfer-Encoding: chunked"], ["Origin: a", "Origin: b"],
    [" folded"], ["No colon"], ["Name : x"], [": x"], ["Name: \u{1}"], ["Näme: x"], ["A: b\nC: d"],
    ["A: b\rC: d"],
  ])
  func headersThatTwoReadersCouldReadInTwoWaysAreRefused(fields: [String]) {
    #expect(status(head("GET /api/storage/new/v2/s/ws HTTP/1.1", fields)) == 400)
  }

  @Test(arguments: ["", "dGhlIHNhbXBsZSBub25jZQ", "c2hvcnQ=", "dGhlIHNhbXBsZSBub25jZSE=", "!"])
  func aKeyIs16Bytes(key: String) {
    let text = head(
      "GET /api/storage/new/v2/s/ws HTTP/1.1", ["Sec-WebSocket-Key: \(key)"],
      without: ["Sec-WebSocket-Key"])
    #expect(status(text) == 400)
  }

  @Test(arguments: [
    ("https://example.com", 101), ("http://example.com", 403), ("https://example.com:443", 403),
    ("https://example.com.evil.org", 403), ("null", 403), ("", 403), ("https://EXAMPLE.com", 403),
  ])
  func onlyListedOriginsMayCome(origin: String, expected: Int) {
    #expect(
      status(head("GET /api/storage/new/v2/s/ws HTTP/1.1", ["Origin: \(origin)"])) == expected)
  }

  /// Swift's `==` takes some different characters for equal.
  @Test func originsAreComparedByBytes() {
    let rule = OriginRule(["https://K.example", "https://caf\u{e9}.example"])
    #expect(rule.allows("https://K.example"))
    #expect(!rule.allows("https://\u{212a}.example"))
    #expect(!rule.allows("https://cafe\u{301}.example"))
  }

  @Test func onlyASCIIHasTwoCases() {
    let text = head().replacing("Upgrade: websocket", with: "Upgrade: webSoc\u{212a}et")
    #expect(request(text) == .failure(.upgradeRequired))
  }

  /// The order of the table in DOCUMENTS-WEBSOCKET.md.
  @Test func theFirstCheckThatFailsDecides() {
    let line = "GET /api/storage/new/v2/s/ws HTTP/1.1"
    let alien = "Origin: https://evil.example"
    let many = (0..<20).map { "X-\($0): y" }
    #expect(status(head(line, many + ["Bad : x"])) == 431)
    #expect(status(head(line, many + ["X: \u{1}"])) == 431)
    #expect(status(head("GET /x HTTP/1.1", ["Bad : x"])) == 400)
    #expect(status(head("POST /x HTTP/1.1")) == 404)
    let encoded = "GET /api/storage/new/v2/%zz/ws HTTP/1.1"
    #expect(request(head(encoded)) == .failure(.badRequest))
    #expect(request(head(encoded, without: ["Upgrade"])) == .failure(.upgradeRequired))
    #expect(status(head(encoded, without: ["Sec-WebSocket-Version"])) == 426)
    #expect(status(head(line, [alien], without: ["Sec-WebSocket-Version"])) == 426)
    #expect(status(head(line, [alien, "Authorization: Basic eDp5"])) == 400)
    #expect(
      status(head("GET /api/storage/new/v2/s/ws?token=%zz HTTP/1.1", [alien])) == 400)
    #expect(status(head(line, [alien])) == 403)
  }

  @Test func namesAndWordsHaveNoCase() {
    let text = head().replacing("Upgrade: websocket", with: "uPGRADE: h2c, WebSocket")
      .replacing("Connection: keep-alive, Upgrade", with: "CONNECTION:\tupgrade")
    #expect(status(text) == 101)
  }

  @Test func thereAreNotTooManyHeaders() {
    #expect(
      status(
        head("GET /api/storage/new/v2/s/ws HTTP/1.1", (0..<11).map { "X-\($0): y" })) == 101)
    #expect(
      status(
        head("GET /api/storage/new/v2/s/ws HTTP/1.1", (0..<12).map { "X-\($0): y" })) == 431)
  }
}
