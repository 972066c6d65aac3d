// A client whose proxy dies, sleeps or lies. Every call ends with the reason, and so does every
// later call.
//
// A client calls `peerIsGone` between the slices of a long wait. In that call the tests play the
// proxy by hand, so that their actions certainly happen while the client waits.

import CSluice
import SluiceChannel
import SluiceWire
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct ClientFailureTests {
  private let channel: TestChannel
  private let client: TestClient

  init() throws {
    channel = try TestChannel()
    client = try TestClient(channel)
  }

  /// Answers the first request with `slot` once the client waits for it.
  private func answer(_ change: @escaping (inout sluice_slot) -> Void) {
    client.peerIsGone = { [view = channel.view] in
      var slot = view[request: 1]
      slot.argument_byte_count = 0
      slot.sequence = ~1
      change(&slot)
      view[request: 1] = slot
      return false
    }
  }

  private func failure(of body: () throws(ChannelFailure) -> Void) -> ChannelFailure? {
    do throws(ChannelFailure) {
      try body()
      return nil
    } catch {
      return error
    }
  }

  @Test func aDeadProxyEndsTheCallAndEveryLaterOne() {
    client.peerIsGone = { true }
    #expect(client.failure(of: .nothing) == .peerGone)
    client.peerIsGone = { false }
    #expect(client.failure(of: .nothing) == .peerGone)
    #expect(channel.view.submitted == 1, "nothing is posted any more")
  }

  @Test func aSilentProxyEndsTheCallAndEveryLaterOne() {
    client.timeoutNanoseconds = 1
    #expect(client.failure(of: .nothing) == .timedOut)
    client.timeoutNanoseconds = watchdogNanoseconds
    #expect(client.failure(of: .nothing) == .timedOut)
    #expect(channel.view.clientSleeps == 0, "the client does not sleep any more")
  }

  @Test func whatADyingProxyHadCompletedCounts() throws {
    client.peerIsGone = { [view = channel.view] in
      view[request: 1].return_code = Status.busy.rawValue
      view[request: 1].sequence = ~1
      return true
    }
    let (answer, _) = try client.call(.nothing)
    #expect(answer.status == .busy)
  }

  @Test func anAnswerWithoutAWakeIsSeenAllTheSame() throws {
    answer { $0.return_code = Status.done.rawValue }
    let (answer, _) = try client.call(.nothing)
    #expect(answer.status == .done)
  }

  @Test(arguments: [0, 2, 33, UInt32.max, ~2])
  func aSequenceThatIsNeitherRequestNorAnswerIsAViolation(sequence: UInt32) {
    answer { $0.sequence = sequence }
    #expect(client.failure(of: .nothing) == .violation(.sequence))
    #expect(client.failure(of: .nothing) == .violation(.sequence))
  }

  /// Answers request `number` with `status`.
  private func answer(_ number: UInt32, _ status: Status) {
    channel.view[request: number].return_code = status.rawValue
    channel.view[request: number].argument_byte_count = 0
    channel.view[request: number].sequence = ~number
  }

  @Test func nobodyWaitsForAnEndOrLearnsOfItsFailure() throws {
    try client.postEnd()
    #expect(try client.settle() == nil, "it returns without an answer")
    try client.post()
    answer(1, .badFile)
    answer(2, .done)
    #expect(try client.settle() == nil)
    try client.postEnd()
    #expect(try client.settle() == nil)
    try client.post()
    answer(3, .done)
    answer(4, .readOnly)
    #expect(try client.settle()?.status == .readOnly)
  }

  @Test func endsInARingThatIsFullWaitForItsAnswers() throws {
    for _ in 0..<channel.shape.slotCount { try client.postEnd() }
    client.peerIsGone = { [self] in
      for number in 1...UInt32(channel.shape.slotCount) { answer(number, .done) }
      return false
    }
    try client.postEnd()
    #expect(channel.view.submitted == UInt32(channel.shape.slotCount) + 1)
  }

  @Test func anAnswerBeforeThatOfAnEarlierRequestIsAViolation() throws {
    try client.post()
    client.peerIsGone = { [view = channel.view] in
      view[request: 2].return_code = Status.done.rawValue
      view[request: 2].argument_byte_count = 0
      view[request: 2].sequence = ~2
      return false
    }
    #expect(client.failure(of: .nothing) == .violation(.sequence))
  }

  @Test(arguments: [5, 15, 37, 39, 44, 99, -1, Int32.max, Int32.min])
  func aStatusThatTheProtocolDoesNotHaveIsAViolation(returnCode: Int32) {
    #expect(Status(rawValue: returnCode) == nil)
    answer { $0.return_code = returnCode }
    #expect(client.failure(of: .nothing) == .violation(.reply))
  }

  @Test(arguments: [4097, 65_536, 131_073, UInt32.max])
  func morePayloadThanWasAskedForIsAViolation(byteCount: UInt32) {
    answer { $0.payload_byte_count = byteCount }
    #expect(client.failure(of: .read, OffsetFields(), wanting: 4096) == .violation(.reply))
  }

  @Test(arguments: [1, 4096, UInt32.max])
  func aPayloadThatNobodyAskedForIsAViolation(byteCount: UInt32) {
    answer { $0.payload_byte_count = byteCount }
    #expect(client.failure(of: .nothing) == .violation(.reply))
    #expect(client.failure(of: .nothing) == .violation(.reply), "and the channel is given up")
    #expect(channel.view.submitted == 1, "nothing is posted any more")
  }

  /// The slot has the request's byte count until the answer sets another.
  @Test func aPayloadThatComesBackWithAWriteIsAViolation() {
    answer { #expect($0.payload_byte_count == 3) }
    let failure = failure { () throws(ChannelFailure) in
      _ = try client.call(.write, OffsetFields(), sending: [1, 2, 3])
    }
    #expect(failure == .violation(.reply))
  }

  @Test(arguments: [1153, 65_536, UInt32.max])
  func replyArgumentsLongerThanTheirAreaAreAViolation(byteCount: UInt32) {
    answer { $0.argument_byte_count = byteCount }
    #expect(
      client.failure(of: .fullPathname, PathFields(), replyingWith: PathFields.self)
        == .violation(.reply))
  }

  @Test(
    arguments: [
      [0], [1], [1, 18, 1, 0, 0, 0, 0, 0, 0, 0], [1, 2, 0, 0, 0, 0, 0, 0, 0, 0x80],
      [1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0], [2, 2, 2], [255],
    ] as [[UInt8]])
  func replyArgumentsOfAnotherMessageAreAViolation(bytes: [UInt8]) {
    answer { $0.setInlineArguments(bytes) }
    #expect(
      client.failure(of: .fileSize, replyingWith: OffsetFields.self) == .violation(.reply))
  }

  @Test func aReplyWithoutItsArgumentsIsAViolation() throws {
    try expectMissingArguments(.channelOpen, ChannelFields.self)
    try expectMissingArguments(.fullPathname, PathFields.self)
    try expectMissingArguments(.open, OpenReply.self)
    try expectMissingArguments(.access, AnswerReply.self)
    try expectMissingArguments(.fileSize, OffsetFields.self)
    try expectMissingArguments(.hasMoved, AnswerReply.self)
    try expectMissingArguments(
      .walIndexMap, WALIndexMapReply.self, beside: Status.allCases.filter(\.isDone))
  }

  /// The status is done, but neither an absent reply nor an empty list is valid.
  private func expectMissingArguments<Reply: Message>(
    _ operation: SluiceWire.Operation, _ type: Reply.Type, beside statuses: [Status] = [.done]
  ) throws {
    for bytes in [[], [0]] as [[UInt8]] {
      for status in statuses {
        let test = try ClientFailureTests()
        test.answer {
          $0.return_code = status.rawValue
          $0.setInlineArguments(bytes)
        }
        #expect(
          test.client.failure(of: operation, replyingWith: Reply.self) == .violation(.reply),
          "\(operation), \(status), \(bytes.count) bytes")
      }
    }
  }

  @Test(arguments: [[], [0]] as [[UInt8]])
  func aReplyWithoutFieldsMayBeNoBytesOrAnEmptyList(bytes: [UInt8]) throws {
    answer { $0.setInlineArguments(bytes) }
    let (answer, _) = try client.call(.nothing)
    #expect(answer.status == .done)
  }

  @Test(
    arguments: [
      [1], [0, 0], [1, 16], [1, 18, 1, 0, 0, 0, 0, 0, 0, 0], [1, 3, 1, 0, 0, 0], [255],
    ] as [[UInt8]])
  func argumentsThatNobodyAskedForAreAViolation(bytes: [UInt8]) {
    answer { $0.setInlineArguments(bytes) }
    #expect(client.failure(of: .nothing) == .violation(.reply))
  }

  @Test func longArgumentsThatNobodyAskedForAreAViolation() {
    channel.view.setArgumentArea(0, [1, 17, 0x1A, 0, 0, 0])
    answer { $0.argument_byte_count = 32 }
    #expect(client.failure(of: .sync) == .violation(.reply))
  }

  @Test func argumentsBesideARefusalAreNotEvenRead() throws {
    answer {
      $0.return_code = Status.notFound.rawValue
      $0.setInlineArguments([255, 255])
      $0.payload_byte_count = .max
    }
    let (answer, _) = try client.call(.fileSize, replyingWith: OffsetFields.self)
    #expect(answer.status == .notFound)
  }

  @Test func aRequestTooLongIsNotSentAndHarmsNothing() throws {
    let longest = TestChannel.longestPath(of: channel.shape)
    for byteCount in [longest + 1, 2 * longest, 100_000] {
      let path = PathFields(path: [UInt8](repeating: 0x61, count: byteCount))
      #expect(client.failure(of: .fullPathname, path) == .notSent(.tooLong))
    }
    #expect(channel.view.submitted == 0)
    try withProxy(serving: [channel], MemoryFile().serve) {
      let path = [UInt8](repeating: 0x61, count: longest)
      let (answer, _) = try client.call(
        .fullPathname, PathFields(path: path), replyingWith: PathFields.self)
      #expect(answer.reply.path == path)
    }
  }

  @Test func aRequestOutOfItsRangeIsNotSent() {
    #expect(client.failure(of: .read, OffsetFields(offset: -1)) == .notSent(.outOfRange))
    let index = WALIndexMapRequest(
      byteCount: -1, extends: true, isReadOnly: false, wantsDescriptor: true)
    #expect(client.failure(of: .walIndexMap, index) == .notSent(.outOfRange))
    let locks = WALIndexLockRequest(first: 4, count: 5, kind: .exclusive)
    #expect(client.failure(of: .walIndexLock, locks) == .notSent(.outOfRange))
    #expect(channel.view.submitted == 0)
  }

  @Test func randomRepliesAreTakenOrRefusedButNeverTrap() throws {
    var random = SeededRandom(for: "randomRepliesAreTakenOrRefusedButNeverTrap")
    var failures: Set<String> = []
    for _ in 0..<20 {
      let channel = try TestChannel()
      let client = try TestClient(channel)
      var slot = sluice_slot()
      slot.sequence = ~1
      slot.return_code = Int32.random(in: -1...4, using: &random)
      slot.payload_byte_count = UInt32.random(in: 0...200, using: &random)
      slot.setInlineArguments((0..<28).map { _ in UInt8.random(in: 0...18, using: &random) })
      slot.argument_byte_count = UInt32.random(in: 0...40, using: &random)
      client.peerIsGone = { [slot] in
        channel.view[request: 1] = slot
        return false
      }
      let failure = client.failure(
        of: .read, wanting: 100, replyingWith: OffsetFields.self)
      failures.insert(failure.map { "\($0)" } ?? "none")
      #expect(failure == nil || failure == .violation(.reply))
    }
    #expect(failures.contains("violation(SluiceChannel.ProtocolViolation.reply)"))
  }
}

extension TestChannel {
  /// The longest path that fits an argument area as the only argument.
  static func longestPath(of shape: ChannelShape) -> Int {
    let countTypeAndLength = 1 + 1 + 4
    return shape.argumentAreaByteCount - countTypeAndLength
  }
}
