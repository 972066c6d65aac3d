// The stream of loads, cut anywhere, and the answers of stores: read as they were written, and never
// beyond what is there.

import SluiceWire
import TestSupport
import Testing

@testable import SluiceRecords

@Suite struct FrameTests {
  private struct Seen: Equatable {
    var load: UInt32
    var kind: RecordFrameKind
    var content: [UInt8]
  }

  private func write(_ frame: Seen, to writer: inout RecordByteWriter) {
    writer.number(frame.load)
    writer.number(frame.kind.rawValue)
    writer.string(frame.content)
  }

  private func take(
    _ bytes: ArraySlice<UInt8>, _ frames: inout RecordFrames
  ) throws(WireError) -> [Seen] {
    var seen: [Seen] = []
    try withBytes(of: Array(bytes)) { (bytes) throws(WireError) in
      try unsafe frames.take(bytes) { (frame, content) in
        unsafe seen.append(
          Seen(load: frame.load, kind: frame.kind, content: frame.isTooLarge ? [] : Array(content)))
        return true
      }
    }
    return seen
  }

  @Test func framesComeBackHoweverTheStreamIsCut() throws {
    var random = SeededRandom(for: "framesComeBackHoweverTheStreamIsCut")
    for _ in 0..<500 {
      var writer = RecordByteWriter()
      let written = (0..<Int.random(in: 1...20, using: &random)).map { _ in
        Seen(
          load: UInt32.random(in: 0...3, using: &random),
          kind: RecordFrameKind.allCases.randomElement(using: &random)!,
          content: random.bytes(0...40))
      }
      for frame in written { write(frame, to: &writer) }
      var frames = RecordFrames()
      var seen: [Seen] = []
      var rest = writer.bytes[...]
      while !rest.isEmpty {
        let count = min(rest.count, Int.random(in: 0...60, using: &random))
        seen += try take(rest.prefix(count), &frames)
        rest = rest.dropFirst(count)
      }
      #expect(seen == written)
      #expect(frames.isBetweenFrames)
    }
  }

  @Test func aFrameThatIsTooLargeIsToldAndSkipped() throws {
    var frames = RecordFrames()
    var writer = RecordByteWriter()
    writer.number(UInt32(7))
    writer.number(RecordFrameKind.message.rawValue)
    writer.number(UInt32(RecordFrames.frameByteCountMaximum + 1))
    #expect(
      try take(writer.bytes[...], &frames) == [Seen(load: 7, kind: .message, content: [])])
    let piece = [UInt8](repeating: 1, count: 1 << 20)
    for _ in 0..<256 { #expect(try take(piece[...], &frames).isEmpty) }
    writer = RecordByteWriter()
    writer.number(UInt8(1))
    let next = Seen(load: 7, kind: .found, content: [])
    write(next, to: &writer)
    #expect(try take(writer.bytes[...], &frames) == [next])
  }

  @Test func anUnknownKindIsRefused() {
    var frames = RecordFrames()
    #expect(throws: WireError.outOfRange) {
      try take([0, 0, 0, 0, 4, 0, 0, 0, 0], &frames)
    }
  }

  @Test func aLoadThatNobodyAskedForIsRefused() throws {
    var loads = RecordLoads()
    let number = loads.begin()
    var writer = RecordByteWriter()
    writer.number(UInt32(0))
    write(Seen(load: number + 1, kind: .found, content: []), to: &writer)
    let page = try #require(RecordStreamPage(RecordAnswer(status: .done, payload: writer.bytes)))
    #expect(throws: WireError.self) { try loads.take(page) }
  }

  @Test func randomStreamsAreReadOrRefused() {
    var random = SeededRandom(for: "randomStreamsAreReadOrRefused")
    var refusedCount = 0
    for _ in 0..<20_000 {
      var loads = RecordLoads()
      for _ in 0..<3 { _ = loads.begin() }
      var bytes = random.bytes(0...80)
      // Likely heads.
      for place in stride(from: 4, to: bytes.count, by: 13) {
        for (offset, byte) in zip(place..., [UInt8(place % 4), 0, 0, 0, 0, 4, 0, 0, 0])
        where offset < bytes.count && Bool.random(using: &random) {
          bytes[offset] = byte
        }
      }
      guard let page = RecordStreamPage(RecordAnswer(status: .done, payload: bytes)) else {
        #expect(bytes.count < 4)
        continue
      }
      do throws(WireError) { try loads.take(page) } catch { refusedCount += 1 }
    }
    #expect(refusedCount > 1000)
  }

  @Test func messagesOfABatchComeBackAsTheyWere() throws {
    var random = SeededRandom(for: "messagesOfABatchComeBackAsTheyWere")
    for _ in 0..<500 {
      let messages = (0..<Int.random(in: 1...10, using: &random)).map { _ in random.message() }
      var batch = RecordBatch()
      for message in messages { #expect(batch.add(RecordStore(message))) }
      try withBytes(of: batch.bytes) { (bytes) throws(WireError) in
        var reader = unsafe RecordByteReader(bytes)
        for message in messages { #expect(try RecordMessage(from: &reader) == message) }
        try reader.finish()
      }
    }
  }

  @Test func aBatchTakesWhatARequestHasRoomFor() {
    var transactions = RecordTransactions()
    transactions.append([UInt8](repeating: 1, count: 30_000))
    var message = RecordMessage(id: [1])
    message.sessions = [
      RecordSessionContent(
        session: [2], after: 0, transactions: transactions, lastSignature: [])
    ]
    var batch = RecordBatch()
    #expect(batch.add(RecordStore(message)))
    #expect(batch.add(RecordStore(message)))
    #expect(!batch.add(RecordStore(message)))
    #expect(!batch.isStaged)
    for _ in 0..<3 { message.sessions[0].transactions.append([UInt8](repeating: 2, count: 30_000)) }
    var large = RecordBatch()
    #expect(large.add(RecordStore(message)))
    #expect(large.isStaged)
    #expect(!large.add(RecordStore(RecordMessage(id: [1]))))
  }

  @Test func answersOfStoresAreReadAsTheyWereWrittenOrRefused() {
    var random = SeededRandom(for: "answersOfStoresAreReadAsTheyWereWrittenOrRefused")
    var (readCount, refusedCount) = (0, 0)
    for _ in 0..<20_000 {
      let messages = (0..<Int.random(in: 1...4, using: &random)).map { _ in random.message() }
      var batch = RecordBatch()
      for message in messages { _ = batch.add(RecordStore(message)) }
      var (results, writer) = random.results(of: messages)
      let isDamaged = Bool.random(using: &random)
      var bytes = writer.bytes
      if isDamaged, let place = bytes.indices.randomElement(using: &random) {
        bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
      }
      let answer = RecordAnswer(
        status: .done, reply: .number(UInt64(results.count)), payload: bytes)
      let read = batch.results(answer)
      if !isDamaged { #expect(read == results) }
      if read == nil { refusedCount += 1 } else { readCount += 1 }
      results = []
    }
    #expect(readCount > 5000 && refusedCount > 500)
  }

  @Test func anAnswerThatHandledNothingOrTooMuchIsRefused() {
    var batch = RecordBatch()
    _ = batch.add(RecordStore(RecordMessage(id: [1])))
    for count in [0, 2] as [UInt64] {
      let answer = RecordAnswer(status: .done, reply: .number(count), payload: [])
      #expect(batch.results(answer) == nil)
    }
  }
}

extension SeededRandom {
  /// An answer for the first of the messages, and its bytes.
  fileprivate mutating func results(
    of messages: [RecordMessage]
  ) -> ([RecordStoreResult], RecordByteWriter) {
    var results: [RecordStoreResult] = []
    var writer = RecordByteWriter()
    for message in messages {
      let counts = message.sessions.map { _ in
        Bool.random(using: &self) ? UInt64.random(in: 0...9, using: &self) : nil
      }
      let outcome = RecordStoreOutcome.allCases.randomElement(using: &self)!
      writer.number(outcome.rawValue)
      switch outcome {
      case .stored, .gaps:
        results.append(outcome == .stored ? .stored(counts) : .gaps(counts))
        writer.number(UInt32(counts.count))
        for count in counts { writer.number(count ?? .max) }
      case .noHeader: results.append(.noHeader)
      case .refused:
        results.append(.refused([65, 66]))
        writer.string([65, 66] as [UInt8])
      }
      if outcome != .stored { break }
    }
    return (results, writer)
  }
}
