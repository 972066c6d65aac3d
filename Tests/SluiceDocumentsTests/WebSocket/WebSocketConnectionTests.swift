// A connection as a value, on a clock of the test's own.

import Testing

@testable import SluiceEngine

@Suite struct WebSocketConnectionTests {
  private func connection(
    _ change: (inout WebSocketLimits) -> Void = { _ in }, isSurplus: Bool = false
  ) -> WebSocketConnection {
    var limits = WebSocketLimits()
    change(&limits)
    return WebSocketConnection(
      limits: limits, origins: OriginRule([]), isSurplus: isSurplus, now: 0)
  }

  private func opened(
    _ change: (inout WebSocketLimits) -> Void = { _ in }
  ) -> WebSocketConnection {
    var connection = connection(change)
    _ = connection.receive(RawPeer.upgrade[...], now: 0)
    connection.accept(now: 0)
    _ = output(&connection)
    return connection
  }

  /// All that is to be sent, as if it were.
  private func output(_ connection: inout WebSocketConnection, now: Int64 = 0) -> [UInt8] {
    var sent: [UInt8] = []
    unsafe connection.sendOutput(now: now) { bytes in
      unsafe sent.append(contentsOf: bytes)
      return bytes.count
    }
    return sent
  }

  private func expect(_ expected: [UInt8], _ sent: [UInt8]) { #expect(sent == expected) }

  @Test func aSilentClientIsPingedOnceAndEnds() {
    var connection = opened()
    connection.passTime(now: 29_999, isPaused: false)
    #expect(connection.unsentByteCount == 0)
    connection.passTime(now: 30_000, isPaused: false)
    expect([0x89, 0], output(&connection, now: 30_000))
    connection.passTime(now: 44_999, isPaused: false)
    #expect(connection.unsentByteCount == 0 && connection.isOpen)
    connection.passTime(now: 45_000, isPaused: false)
    #expect(connection.isOver)
  }

  @Test func anyByteIsASignOfLife() {
    var connection = opened()
    connection.passTime(now: 30_000, isPaused: false)
    _ = output(&connection, now: 30_000)
    _ = connection.receive(clientFrame(10)[...], now: 44_000)
    connection.passTime(now: 60_000, isPaused: false)
    #expect(connection.isOpen && connection.unsentByteCount == 0)
    connection.passTime(now: 74_000, isPaused: false)
    expect([0x89, 0], output(&connection, now: 74_000))
  }

  /// Its Pong may lie in the socket.
  @Test func aClientThatIsNotReadIsNotSilent() {
    var connection = opened()
    connection.passTime(now: 30_000, isPaused: false)
    _ = output(&connection, now: 30_000)
    connection.passTime(now: 50_000, isPaused: true)
    connection.passTime(now: 60_000, isPaused: false)
    #expect(connection.isOpen)
  }

  /// Neither too many frames nor answers that it does not take give it more time.
  @Test func aMessageOfAClientThatIsNotReadMustEndInTimeToo() {
    var connection = opened()
    _ = connection.receive(clientFrame(1, "half", isFinal: false)[...], now: 0)
    for second in Int64(1)..<60 { connection.passTime(now: second * 1000, isPaused: true) }
    #expect(connection.isOpen)
    connection.passTime(now: 60_000, isPaused: true)
    #expect(!connection.isOpen && connection.closeCode == .policyViolation)
  }

  /// The Ping would wait behind what the client is taking.
  @Test func aSlowDownloadIsASignOfLife() {
    var connection = opened()
    connection.send(WebSocketMessage(.binary, [UInt8](repeating: 0, count: 1000)), now: 0)
    for second in Int64(1)...100 {
      unsafe connection.sendOutput(now: second * 1000) { _ in 5 }
      connection.passTime(now: second * 1000, isPaused: false)
      #expect(connection.isOpen && connection.unsentByteCount == 1004 - 5 * Int(second))
    }
    _ = output(&connection, now: 101_000)
    connection.passTime(now: 129_999, isPaused: false)
    #expect(connection.unsentByteCount == 0)
    connection.passTime(now: 131_000, isPaused: false)
    expect([0x89, 0], output(&connection, now: 131_000))
    connection.passTime(now: 146_000, isPaused: false)
    #expect(connection.isOver)
  }

  @Test func theStallBeginsWithTheFirstByteThatWaits() {
    var connection = opened()
    connection.send(.text("a"), now: 20_000)
    connection.send(.text("b"), now: 45_000)
    connection.passTime(now: 49_999, isPaused: false)
    #expect(!connection.isOver)
    connection.passTime(now: 50_000, isPaused: false)
    #expect(connection.isOver)
  }

  /// A byte now and then is no stall, but it does not keep megabytes for ever.
  @Test func whatWaitsMustBeTakenInTime() {
    var connection = opened { $0.outputMilliseconds = 60_000 }
    connection.send(WebSocketMessage(.binary, [UInt8](repeating: 0, count: 100)), now: 1000)
    for second in Int64(2)...60 {
      unsafe connection.sendOutput(now: second * 1000) { _ in 1 }
      // What comes later has its own time, and gives what waits no more.
      connection.send(WebSocketMessage(.binary, [7]), now: second * 1000)
      connection.passTime(now: second * 1000, isPaused: false)
      #expect(connection.isOpen)
    }
    connection.passTime(now: 61_000, isPaused: false)
    #expect(connection.isOver)
  }

  @Test func aClientForWhichSomethingAlwaysWaitsLives() {
    var connection = opened { $0.outputMilliseconds = 60_000 }
    for second in Int64(1)...200 {
      connection.send(WebSocketMessage(.binary, [7, 7]), now: second * 1000)
      if second > 10 { unsafe connection.sendOutput(now: second * 1000) { _ in 4 } }
      connection.passTime(now: second * 1000, isPaused: false)
      #expect(connection.isOpen && connection.unsentByteCount > 0)
    }
  }

  @Test func timeForAMessageIsGivenByTheHandlerOnly() {
    var connection = opened()
    _ = connection.receive(clientFrame(1, "half", isFinal: false)[...], now: 0)
    connection.passTime(now: 59_000, isPaused: true, isHeld: true)
    connection.passTime(now: 118_999, isPaused: true)
    #expect(connection.isOpen)
    connection.passTime(now: 119_000, isPaused: true)
    #expect(connection.closeCode == .policyViolation)
  }

  @Test func ourCloseComesAfterWhatWasQueuedAndAwaitsTheClients() {
    var connection = opened()
    connection.send(.text("a"), now: 0)
    connection.close(.goingAway, reason: "", now: 0)
    connection.send(.text("b"), now: 0)
    expect([0x81, 1, 0x61, 0x88, 2, 3, 0xe9], output(&connection))
    let late = connection.receive(clientFrame(1, "late")[...], now: 1)
    #expect(late.isEmpty)
    let events = connection.receive(clientClose(1001)[...], now: 2)
    #expect(events == [.ending(.goingAway, reason: "")])
    connection.end(.goingAway, reason: "", now: 2)
    #expect(connection.unsentByteCount == 0 && connection.isToBeShut)
    connection.receiveEnd()
    #expect(connection.isOver && connection.closeCode == .goingAway)
  }

  @Test func theTimeForClosingBeginsWhenAllIsSent() {
    var connection = opened()
    connection.send(.text("a"), now: 0)
    connection.close(.normal, reason: "", now: 0)
    connection.passTime(now: 20_000, isPaused: false)
    #expect(!connection.isOver)
    _ = output(&connection, now: 21_000)
    connection.passTime(now: 25_999, isPaused: false)
    #expect(!connection.isOver)
    connection.passTime(now: 26_000, isPaused: false)
    #expect(connection.isOver)
  }

  @Test func whoeverTakesNoAnswersIsNotRead() {
    var connection = opened { $0.outputByteCountMax = 1000 }
    connection.send(WebSocketMessage(.binary, [UInt8](repeating: 0, count: 490)), now: 0)
    #expect(connection.wantsInput)
    connection.send(.text("0123456789"), now: 0)
    #expect(!connection.wantsInput)
    _ = output(&connection)
    #expect(connection.wantsInput)
  }

  @Test func halfOfAMessageIsForgottenAtTheEnd() {
    var connection = opened()
    _ = connection.receive(clientFrame(1, "half", isFinal: false)[...], now: 0)
    #expect(connection.heldByteCount == 4)
    connection.end(.tryAgainLater, reason: "", now: 0)
    #expect(connection.heldByteCount == 0)
  }

  @Test func aSurplusClientIsToldOnceItHasAsked() {
    var surplus = connection(isSurplus: true)
    #expect(!surplus.takesRoom)
    _ = surplus.receive(RawPeer.upgrade.dropLast(), now: 0)
    #expect(surplus.unsentByteCount == 0)
    let events = surplus.receive([10], now: 0)
    #expect(events.isEmpty)
    let answer = String(decoding: output(&surplus), as: UTF8.self)
    #expect(answer.hasPrefix("HTTP/1.1 503 "))
    #expect(surplus.isToBeShut)
  }

  @Test func partsOfTheOutputGoInOrder() {
    var connection = opened()
    let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 >> 8) }
    connection.send(WebSocketMessage(.binary, bytes), now: 0)
    var sent: [UInt8] = []
    while connection.unsentByteCount > 0 {
      unsafe connection.sendOutput(now: 0) { part in
        let count = min(part.count, 300_000)
        unsafe sent.append(contentsOf: part.prefix(count))
        return count
      }
    }
    #expect(sent.count == bytes.count + 10 && sent[10...] == bytes[...])
  }

  // MARK: Rates

  @Test func aBucketGivesItsRate() {
    var bucket = RateBucket(perSecond: 100, now: 0)
    var answers: [Bool] = []
    bucket.take(100)
    answers.append(bucket.hasSome(now: 0))
    answers.append(bucket.hasSome(now: 10))
    bucket.take(51)
    answers.append(bucket.hasSome(now: 500))
    answers.append(bucket.hasSome(now: 520))
    // It keeps no more than one second's.
    answers.append(bucket.hasSome(now: 1_000_000))
    bucket.take(100)
    answers.append(bucket.hasSome(now: 1_000_000))
    #expect(answers == [false, true, false, true, true, false])
  }
}
