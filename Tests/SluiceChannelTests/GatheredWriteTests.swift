// Writes that the client's end gathers, with this test as the proxy.

import CSluice
import SluiceWire
import Testing

@testable import SluiceChannel

struct GatheredWriteTests {
  private let channel: TestChannel
  private let client: TestClient

  init() throws {
    channel = try TestChannel()
    client = try TestClient(channel)
  }

  private func bytes(_ value: UInt8, _ count: Int) -> [UInt8] {
    .init(repeating: value, count: count)
  }

  /// The offset and the byte count of a request, which is a write of file 1 with this payload.
  private func expectWrite(
    _ number: UInt32, at offset: UInt8, _ payload: [UInt8],
    _ location: SourceLocation = #_sourceLocation
  ) {
    let slot = channel.view[request: number]
    #expect(slot.sequence == number, sourceLocation: location)
    #expect(slot.operation == SluiceWire.Operation.write.rawValue, sourceLocation: location)
    #expect(Int(slot.payload_byte_count) == payload.count, sourceLocation: location)
    let start = Int(slot.payload_offset)
    #expect(
      channel.view.payload(start..<start + payload.count) == payload, sourceLocation: location)
    // count, type, and the offset's lowest byte
    #expect(slot.inlineArguments[2] == offset, sourceLocation: location)
  }

  private func answer(_ number: UInt32, _ status: Status) {
    channel.view[request: number].return_code = status.rawValue
    channel.view[request: number].argument_byte_count = 0
    channel.view[request: number].payload_byte_count = 0
    channel.view[request: number].sequence = ~number
  }

  /// Answers every request once the client waits.
  private func answerAll(_ status: Status = .done) {
    client.peerIsGone = { [self] in
      for number in 1...channel.view.submitted
      where channel.view[request: number].sequence == number {
        answer(number, status)
      }
      return false
    }
  }

  @Test func piecesThatFollowOneAnotherAreOneRequest() throws {
    try client.post(bytes(1, 24), at: 7, handsOver: false)
    #expect(channel.view.submitted == 0)
    try client.post(bytes(2, 1000), at: 31, handsOver: true)
    #expect(channel.view.submitted == 1)
    expectWrite(1, at: 7, bytes(1, 24) + bytes(2, 1000))
  }

  @Test func theyGoWithAWriteThatIsWaitedFor() throws {
    answerAll()
    try client.post(bytes(1, 24), at: 7, handsOver: false)
    let answer = try client.write(bytes(2, 1000), at: 31)
    #expect(answer.status == .done)
    #expect(channel.view.submitted == 1)
    #expect(channel.view[request: 1].sequence == ~1)
  }

  @Test(arguments: [(30 as Int64, 1 as UInt64), (32, 1), (7, 1)])
  func aWriteElsewhereIsARequestByItself(offset: Int64, file: UInt64) throws {
    try client.post(bytes(1, 24), at: 7, handsOver: false)
    try client.post(bytes(2, 24), at: offset, handsOver: false)
    #expect(channel.view.submitted == 1)
    expectWrite(1, at: 7, bytes(1, 24))
    try client.postEnd()
    expectWrite(2, at: UInt8(offset), bytes(2, 24))
  }

  @Test func aWriteToAnotherFileWaitsForThem() throws {
    answerAll()
    try client.post(bytes(1, 24), at: 7, handsOver: false)
    try client.post(bytes(2, 24), file: 2, at: 31, handsOver: false)
    #expect(channel.view.submitted == 1)
    #expect(channel.view[request: 1].sequence == ~1)
  }

  @Test func noMoreAreGatheredThanOneRequestMayCarry() throws {
    let half = ChannelShape.transferByteCountMaximum / 2
    try client.post(bytes(1, half), at: 0, handsOver: false)
    try client.post(bytes(2, half), at: Int64(half), handsOver: false)
    #expect(channel.view.submitted == 0)
    try client.post(bytes(3, 1), at: Int64(2 * half), handsOver: false)
    #expect(channel.view.submitted == 1)
    expectWrite(1, at: 0, bytes(1, half) + bytes(2, half))
  }

  /// The ring of this channel holds two of the largest requests.
  @Test func noMoreAreGatheredThanTheRingHolds() throws {
    let half = ChannelShape.transferByteCountMaximum / 2
    try client.post(bytes(1, half), at: 0, handsOver: true)
    try client.post(bytes(2, half), at: Int64(half), handsOver: true)
    try client.post(bytes(3, half), at: Int64(2 * half), handsOver: true)
    try client.post(bytes(4, half), at: Int64(3 * half), handsOver: false)
    #expect(channel.view.submitted == 3)
    answerAll()
    try client.post(bytes(5, half), at: Int64(4 * half), handsOver: false)
    #expect(channel.view.submitted == 4, "it waits for room")
  }

  @Test(arguments: ["call", "end", "settle"])
  func everyOtherRequestHandsThemOver(by request: String) throws {
    try client.post(bytes(1, 24), at: 7, handsOver: false)
    answerAll()
    switch request {
    case "call": _ = try client.call(.nothing)
    case "end": try client.postEnd()
    default: #expect(try client.settle() == nil)
    }
    #expect(channel.view.submitted == (["call", "end"].contains(request) ? 2 : 1))
    let slot = channel.view[request: 1]
    #expect(slot.operation == SluiceWire.Operation.write.rawValue)
    if request == "end" { expectWrite(1, at: 7, bytes(1, 24)) }
  }

  @Test func aFailureOfWritesThatWereGatheredStays() throws {
    answerAll(.systemError)
    try client.post(bytes(1, 24), at: 7, handsOver: false)
    #expect(try client.write(bytes(2, 24), at: 31).status == .systemError)
    #expect(try client.settle()?.status == .systemError)
  }

  @Test func aFailureOfAWriteAloneIsItsOwn() throws {
    answerAll(.systemError)
    #expect(try client.write(bytes(2, 24), at: 31).status == .systemError)
    #expect(try client.settle() == nil)
  }
}
