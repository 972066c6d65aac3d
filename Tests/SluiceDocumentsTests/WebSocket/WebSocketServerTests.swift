// The server through real sockets: the case list, and clients that are slow, silent, too many, too
// large, or gone.

import Foundation
import SluiceSystem
import Testing
import TestSupport

@testable import SluiceEngine

/// One after the other, so that none waits for the others' work.
@Suite(.serialized) struct WebSocketServerTests {
  private let hello = clientFrame(1, "hello")

  // MARK: The case list

  /// Sends a case's bytes, and looks at all that the server sends.
  private func check(_ test: FrameCase, _ server: EchoServer) throws {
    let peer = try server.greeted()
    // What breaks the protocol ends the session before all is sent.
    peer.send(
      test.sent + (test.end == .open ? clientClose(1000) : []),
      pieceByteCount: test.pieceByteCount)
    peer.receiveUntilEnd()
    #expect(peer.isEnded, "\(test.number)")
    let frames = try #require(peer.frames(), "\(test.number)")
    let answers = frames.filter { $0.opcode != 8 }.map { frame in
      frame.opcode == 10
        ? FrameCase.Answer.pong(frame.payload)
        : .message(WebSocketMessage(frame.opcode == 1 ? .text : .binary, frame.payload))
    }
    // A pong may overtake an echo.
    #expect(answers.filter(isPong) == test.answers.filter(isPong), "\(test.number)")
    #expect(
      answers.filter { !isPong($0) } == test.answers.filter { !isPong($0) }, "\(test.number)")
    #expect(frames.last?.opcode == 8, "\(test.number)")
    let end: FrameCase.End = test.end == .open ? .closed(1000) : test.end
    #expect(FrameCase.End.closed(peer.closeCode) == end, "\(test.number)")
  }

  private func isPong(_ answer: FrameCase.Answer) -> Bool {
    if case .pong = answer { true } else { false }
  }

  @Test func theCaseListGoesThroughASocket() throws {
    let server = try EchoServer()
    for test in FrameCase.small + FrameCase.utf8 { try check(test, server) }
  }

  @Test func largeMessagesGoThroughASocket() throws {
    let server = try EchoServer()
    let numbers: Set = ["9.1.6", "9.3.1", "9.4.5", "9.5.3", "9.7.6", "10.1.1"]
    for make in FrameCase.limits {
      let test = make()
      if numbers.contains(test.number) { try check(test, server) }
    }
  }

  // MARK: Upgrade

  @Test func whatIsNoUpgradeGetsItsAnswerAndTheEnd() throws {
    let server = try EchoServer()
    for (request, status, message) in [
      ("GET /api/storage/new/v2/s/ws HTTP/1.1\r\nHost: x\r\n\r\n", 400, "Upgrade required"),
      ("GET /other HTTP/1.1\r\nHost: x\r\n\r\n", 404, "Not found"),
      ("nonsense\r\n\r\n", 400, "Bad request"),
      ("GET /" + String(repeating: "x", count: 200_000), 431, "Request header too large"),
    ] {
      let peer = try server.peer()
      peer.send(Array(request.utf8))
      peer.receiveUntilEnd()
      #expect(peer.isEnded)
      #expect(peer.text.hasPrefix("HTTP/1.1 \(status) "))
      #expect(peer.text.hasSuffix(#"{"error":{"message":"\#(message)"}}"#))
    }
    #expect(server.handler.notes.withLock { $0.spaces.isEmpty })
  }

  @Test func theHandlerKnowsTheSpaceAndMayRefuse() throws {
    let server = try EchoServer()
    let peer = try server.peer()
    let text = String(decoding: RawPeer.upgrade, as: UTF8.self)
    peer.send(Array(text.replacing("/ws HTTP", with: "/ws?token=wrong HTTP").utf8))
    peer.receiveUntilEnd()
    #expect(peer.text.hasPrefix("HTTP/1.1 401 Unauthorized\r\n"))
    #expect(peer.text.hasSuffix(#"{"error":{"message":"Token expired"}}"#))
    _ = try server.greeted()
    #expect(server.handler.notes.withLock { $0.spaces } == ["did:key:test", "did:key:test"])
    #expect(server.awaits { $0.ends.count == 1 })
  }

  @Test func pagesOfThisServerAndListedOnesMayCome() throws {
    let server = try EchoServer()
    let text = String(decoding: RawPeer.upgrade.dropLast(2), as: UTF8.self)
    for (origin, status) in [
      ("http://127.0.0.1:\(server.server.port)", 101), ("http://localhost:1", 403),
      ("http://localhost:\(server.server.port)", 101), ("https://example.com", 101),
      ("https://evil.example", 403),
    ] {
      let peer = try server.peer()
      peer.send(Array((text + "Origin: \(origin)\r\n\r\n").utf8))
      #expect(peer.receive())
      #expect(peer.text.hasPrefix("HTTP/1.1 \(status) "), "\(origin)")
    }
  }

  @Test func slowBytesAndEarlyFramesAreTaken() throws {
    let server = try EchoServer()
    let peer = try server.peer()
    // The first message comes with the end of the head.
    for byte in RawPeer.upgrade + hello + clientClose(1000) {
      peer.send([byte])
      Clock.sleep(nanoseconds: 200_000)
    }
    peer.receiveUntilEnd()
    #expect(peer.text.contains("hello"))
    let early = try server.peer()
    early.send(RawPeer.upgrade + hello + clientClose(1000))
    early.receiveUntilEnd()
    #expect(early.text.contains("\r\n\r\n\u{81}".dropLast()) && early.text.contains("hello"))
  }

  // MARK: Time

  @Test func aHeadThatDoesNotEndTimesOut() throws {
    let server = try EchoServer { $0.greetingMilliseconds = 100 }
    let peer = try server.peer()
    peer.send(Array(RawPeer.upgrade.dropLast()))
    peer.receiveUntilEnd()
    #expect(peer.isEnded)
    #expect(peer.text.hasPrefix("HTTP/1.1 408 "))
  }

  @Test func aMessageThatDoesNotEndTimesOut() throws {
    let server = try EchoServer { $0.messageMilliseconds = 300 }
    for half in [[0x81], Array(hello.dropLast()), clientFrame(1, "a", isFinal: false)] {
      let peer = try server.greeted()
      peer.send(half)
      // Bytes do not save it.
      if half[0] == 0x01 { peer.send(clientFrame(9)) }
      peer.receiveUntilEnd()
      #expect(peer.closeCode == 1008)
    }
  }

  /// Bytes that always end within a frame are no message that does not end.
  @Test func aBusyClientIsNotSlow() throws {
    let server = try EchoServer(echoes: false) { $0.messageMilliseconds = 1000 }
    let peer = try server.greeted()
    peer.send(Array(hello.prefix(3)))
    for _ in 0..<60 {
      peer.send(Array(hello.dropFirst(3) + hello.prefix(3)))
      Clock.sleep(nanoseconds: 25_000_000)
    }
    #expect(server.awaits { $0.messages.count == 60 })
    #expect(server.handler.notes.withLock { $0.ends.isEmpty })
  }

  @Test func aSilentClientIsPingedAndThenLost() throws {
    let server = try EchoServer {
      $0.pingMilliseconds = 100
      $0.pongMilliseconds = 3000
    }
    let answering = try server.greeted()
    let silent = try server.greeted()
    for _ in 0..<5 {
      let count = answering.received.count
      #expect(answering.receive(byteCount: count + 2))
      #expect(answering.frames()?.last?.opcode == 9)
      answering.send(clientFrame(10))
    }
    silent.receiveUntilEnd()
    #expect(silent.isEnded)
    #expect(silent.frames()?.map(\.opcode) == [9])
    #expect(server.awaits { $0.ends == [nil] })
    answering.send(hello)
    #expect(answering.receive())
  }

  @Test func aClientThatDoesNotCloseIsCutOff() throws {
    let server = try EchoServer { $0.closeMilliseconds = 100 }
    let peer = try server.greeted()
    server.handler.notes.withLock { $0.sessions[0] }.close(
      CloseCode(rawValue: 4000), reason: "enough")
    #expect(server.awaits { $0.ends == [CloseCode(rawValue: 4000)] })
    peer.receiveUntilEnd()
    #expect(peer.closeCode == 4000)
    #expect(server.handler.notes.withLock { $0.sessions[0] }.send(.text("x")) == .gone)
  }

  @Test func aClientThatVanishesEndsItsSession() throws {
    let server = try EchoServer()
    do { _ = try server.greeted() }
    let other = try server.greeted()
    other.endSending()
    #expect(server.awaits { $0.ends == [nil, nil] })
  }

  // MARK: Limits

  @Test func tooManySessionsAreToldSo() throws {
    let server = try EchoServer { $0.sessionCountMax = 3 }
    var peers = try (0..<3).map { _ in try server.greeted() }
    let surplus = try server.peer()
    surplus.send(RawPeer.upgrade)
    surplus.receiveUntilEnd()
    #expect(surplus.text.hasPrefix("HTTP/1.1 503 "))
    #expect(surplus.text.hasSuffix(#"{"error":{"message":"Too many sessions"}}"#))
    peers.removeLast()
    #expect(server.awaits { $0.ends.count == 1 })
    peers.append(try server.greeted())
    for peer in peers {
      peer.send(hello)
      #expect(peer.receive())
    }
  }

  @Test func aMessageThatIsTooLargeEndsTheSession() throws {
    let server = try EchoServer {
      $0.frameByteCountMax = 1000
      $0.messageByteCountMax = 1500
    }
    let one = try server.greeted()
    one.send(clientFrame(1, [UInt8](repeating: 0x61, count: 1001)))
    one.receiveUntilEnd()
    #expect(one.closeCode == 1009)
    let two = try server.greeted()
    let part = [UInt8](repeating: 0x61, count: 800)
    two.send(clientFrame(1, part, isFinal: false) + clientFrame(0, part))
    two.receiveUntilEnd()
    #expect(two.closeCode == 1009)
    #expect(server.awaits { $0.ends == [.tooLarge, .tooLarge] })
  }

  @Test func halfMessagesOfAllClientsAreBounded() throws {
    let server = try EchoServer { $0.heldByteCountMax = 2500 }
    let part = clientFrame(1, [UInt8](repeating: 0x61, count: 1000), isFinal: false)
    let peers = try (0..<3).map { _ in try server.greeted() }
    for peer in peers {
      peer.send(part + clientFrame(9))
      #expect(peer.receive())
    }
    peers[2].receiveUntilEnd()
    #expect(peers[2].closeCode == 1013)
    peers[0].send(clientFrame(0, "b"))
    #expect(peers[0].receive(byteCount: 2 + 1005))
    let later = try server.greeted()
    later.send(part + clientFrame(0, "b"))
    #expect(later.receive(byteCount: 1005))
  }

  /// The client that goes beyond the bound pays, not the next one that is read.
  @Test func halfHeadsCountTowardsTheBoundOfAllClients() throws {
    let server = try EchoServer { $0.heldByteCountMax = 1500 }
    let bystander = try server.greeted()
    let greeting = try server.peer()
    let field = "X: " + String(repeating: "x", count: 2000) + "\r\n"
    greeting.send(Array(RawPeer.upgrade.dropLast(2)) + Array(field.utf8))
    Clock.sleep(nanoseconds: 50_000_000)
    bystander.send(hello)
    #expect(bystander.receive(byteCount: 7))
    #expect(bystander.frames()?.first?.opcode == 1)
    greeting.receiveUntilEnd()
    #expect(greeting.text.hasPrefix("HTTP/1.1 503 "))
    #expect(greeting.text.hasSuffix(#"{"error":{"message":"Too many unfinished requests"}}"#))
  }

  @Test func aTokenOfTheLargestSizeFitsIntoTheHead() throws {
    let server = try EchoServer()
    let token = String(repeating: "x", count: AccessToken.byteCountMax)
    let text = String(decoding: RawPeer.upgrade.dropLast(2), as: UTF8.self)
    let field = try server.peer()
    field.send(Array((text + "Authorization: Bearer \(token)\r\n\r\n").utf8))
    #expect(field.receive() && field.text.hasPrefix("HTTP/1.1 101 "))
    let query = try server.peer()
    query.send(Array((text.replacing("/ws", with: "/ws?token=\(token)") + "\r\n").utf8))
    #expect(query.receive() && query.text.hasPrefix("HTTP/1.1 101 "))
    #expect(server.handler.notes.withLock { $0.tokens } == [token, token])
  }

  @Test func framesAboveTheRateWait() throws {
    let server = try EchoServer(echoes: false) { $0.framesPerSecondMax = 500 }
    let peer = try server.greeted()
    let start = Clock.monotonicNanoseconds()
    // The first 500 are free; the bytes of the others are read piece by piece.
    let frame = clientFrame(2, [UInt8](repeating: 0, count: 1000))
    peer.send([UInt8](repeatElement(frame, count: 1000).joined()))
    #expect(server.awaits { $0.messages.count == 1000 })
    #expect(Clock.monotonicNanoseconds() - start > 500_000_000)
  }

  @Test func connectionsAboveTheRateWait() throws {
    let server = try EchoServer { $0.connectionsPerSecondMax = 10 }
    let start = Clock.monotonicNanoseconds()
    let peers = try (0..<20).map { _ in try server.greeted() }
    #expect(peers.count == 20)
    #expect(Clock.monotonicNanoseconds() - start > 500_000_000)
  }

  // MARK: Output

  @Test func aFullQueueIsToldAndDrains() throws {
    let server = try EchoServer(echoes: false) { $0.outputByteCountMax = 1 << 20 }
    let peer = try server.greeted()
    #expect(server.awaits { $0.sessions.count == 1 })
    let session = server.handler.notes.withLock { $0.sessions[0] }
    let message = WebSocketMessage(.binary, [UInt8](repeating: 1, count: 256 << 10))
    var count = 0
    let deadline = Clock.monotonicNanoseconds() + 20_000_000_000
    while Clock.monotonicNanoseconds() < deadline {
      guard session.send(message) == .queued else { break }
      count += 1
      // Until the kernel's buffers are full too.
      if count % 4 == 0 { Clock.sleep(nanoseconds: 20_000_000) }
    }
    #expect(count >= 4)
    #expect(session.send(message) == .full)
    #expect(server.handler.notes.withLock { $0.drainedCount } == 0)
    #expect(peer.receive(byteCount: count * (message.bytes.count + 10)))
    #expect(server.awaits { $0.drainedCount == 1 })
    #expect(session.send(message) == .queued)
    #expect(peer.receive(byteCount: (count + 1) * (message.bytes.count + 10)))
    #expect(peer.frames()?.count == count + 1)
  }

  @Test func aMessageLargerThanTheQueueGoesAlone() throws {
    let server = try EchoServer { $0.outputByteCountMax = 1000 }
    let peer = try server.greeted()
    peer.send(clientFrame(1, [UInt8](repeating: 0x61, count: 5000)))
    #expect(peer.receive(byteCount: 5004))
  }

  /// A client that sends requests and takes no answers is not read any more, and its session ends.
  @Test func aClientThatTakesNothingIsCutOff() throws {
    let server = try EchoServer {
      $0.outputByteCountMax = 1 << 20
      $0.stallMilliseconds = 500
    }
    let peer = try server.greeted()
    #expect(server.awaits { $0.sessions.count == 1 })
    let session = server.handler.notes.withLock { $0.sessions[0] }
    let message = WebSocketMessage(.binary, [UInt8](repeating: 1, count: 256 << 10))
    #expect(server.awaits { _ in session.send(message) == .gone })
    #expect(server.awaits { $0.ends == [nil] })
    withExtendedLifetime(peer) {}
  }

  /// Beyond the bound of all clients, the one for which most waits pays.
  @Test func whatWaitsForAllClientsIsBounded() throws {
    let server = try EchoServer(echoes: false) { $0.allOutputByteCountMax = 16 << 20 }
    let peers = try (0..<3).map { _ in try server.greeted() }
    #expect(server.awaits { $0.sessions.count == 3 })
    let sessions = server.handler.notes.withLock { $0.sessions }
    let part = WebSocketMessage(.binary, [UInt8](repeating: 1, count: 1 << 20))
    // The kernel's buffers take some of it.
    for _ in 0..<8 { #expect(sessions[0].send(part) == .queued) }
    for _ in 0..<30 { #expect(sessions[1].send(part) == .queued) }
    #expect(server.awaits { $0.ends == [.tryAgainLater] })
    #expect(sessions[1].send(part) == .gone)
    #expect(sessions[2].send(.text("x")) == .queued)
    #expect(peers[2].receive(byteCount: 3))
    #expect(peers[0].receive(byteCount: 8 * (part.bytes.count + 10)))
  }

  /// The server stops to read a client that takes no Pongs, and goes on when it takes them.
  @Test func pingsWithoutEndCostBoundedMemory() throws {
    let server = try EchoServer { $0.outputByteCountMax = 64 << 10 }
    let peer = try server.greeted()
    let ping = clientFrame(9, [UInt8](repeating: 7, count: 125))
    let pings = [UInt8](repeatElement(ping, count: 1000).joined())
    let byteCount = peer.sendWithoutReceiving(pings, byteCountMax: 64 << 20)
    // The kernel's buffers of both ways have some megabytes.
    #expect(byteCount > 64 << 10 && byteCount < 64 << 20)
    let count = byteCount / ping.count
    #expect(peer.receive(byteCount: count * 127))
    #expect(peer.received[..<127] == [0x8a, 125] + [UInt8](repeating: 7, count: 125)[...])
  }

  @Test func aHeldSessionIsNotRead() throws {
    let server = try EchoServer(echoes: false)
    let peer = try server.greeted()
    #expect(server.awaits { $0.sessions.count == 1 })
    let session = server.handler.notes.withLock { $0.sessions[0] }
    session.hold(true)
    // The server's thread takes both at once.
    #expect(session.send(.text("held")) == .queued)
    #expect(peer.receive())
    peer.send(hello)
    Clock.sleep(nanoseconds: 100_000_000)
    #expect(server.handler.notes.withLock { $0.messages.isEmpty })
    session.hold(false)
    #expect(server.awaits { $0.messages == [.text("hello")] })
  }

  @Test func messagesOfManyThreadsArriveInEachThreadsOrder() throws {
    let server = try EchoServer(echoes: false)
    let peer = try server.greeted()
    #expect(server.awaits { $0.sessions.count == 1 })
    let session = server.handler.notes.withLock { $0.sessions[0] }
    let threads = try (0..<4).map { thread in
      JoinableThread(
        try Thread("sender") {
          for number in 0..<500 { _ = session.send(.text("\(thread) \(number)")) }
        })
    }
    for thread in threads { thread.join() }
    session.close(.normal)
    peer.receiveUntilEnd()
    let texts = peer.frames()!.dropLast().map { String(decoding: $0.payload, as: UTF8.self) }
    #expect(texts.count == 2000)
    for thread in 0..<4 {
      let own = texts.filter { $0.hasPrefix("\(thread) ") }
      #expect(own == (0..<500).map { "\(thread) \($0)" })
    }
  }

  // MARK: End

  @Test func theServersEndIsToldToAll() throws {
    let server = try EchoServer()
    let peers = try (0..<3).map { _ in try server.greeted() }
    let ungreeted = try server.peer()
    let isStopped = FutexLock(false)
    let stopping = JoinableThread(
      try Thread("stopper") { [server = server.server] in
        server.stop()
        isStopped.withLock { $0 = true }
      })
    for peer in peers {
      #expect(peer.receive(byteCount: 4))
      #expect(peer.closeCode == 1001)
      peer.send(clientClose(1001))
      peer.receiveUntilEnd()
      #expect(peer.isEnded)
    }
    // The thread itself cannot be waited for with a limit.
    try #require(server.awaits { _ in isStopped.withLock { $0 } })
    stopping.join()
    #expect(server.handler.notes.withLock { $0.ends } == [.goingAway, .goingAway, .goingAway])
    ungreeted.receiveUntilEnd()
    #expect(ungreeted.isEnded)
    #expect(throws: POSIXError.self) { try server.peer() }
  }

  @Test func anAddressThatIsNoneIsRefused() {
    for address in ["localhost", "", "127.0.0.1:80", "[::1]", "1.2.3"] {
      #expect(throws: Errno.invalid) {
        try WebSocketServer(address: address, port: 0, handler: EchoHandler())
      }
    }
  }
}
