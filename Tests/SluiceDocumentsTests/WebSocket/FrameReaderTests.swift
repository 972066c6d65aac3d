// The frame reader, as a value: the case list in any pieces, and what the list leaves out.

import Testing
import TestSupport

@testable import SluiceEngine

@Suite struct FrameReaderTests {
  /// What an echo server answers, by the reader alone.
  private static func verdict(
    _ pieces: [ArraySlice<UInt8>], _ limits: WebSocketLimits = WebSocketLimits()
  ) -> (answers: [FrameCase.Answer], end: FrameCase.End) {
    var reader = FrameReader(limits: limits)
    var answers: [FrameCase.Answer] = []
    for piece in pieces {
      for event in reader.read(piece) {
        switch event {
        case .message(let message): answers.append(.message(message))
        case .ping(let payload): answers.append(.pong(payload))
        case .pong: break
        case .close(let code, _): return (answers, .closed(code?.rawValue))
        case .violation(let code, _): return (answers, .closed(code.rawValue))
        }
      }
    }
    return (answers, .open)
  }

  private static func pieces(_ bytes: [UInt8], of byteCount: Int) -> [ArraySlice<UInt8>] {
    stride(from: 0, to: bytes.count, by: byteCount).map {
      bytes[$0..<min($0 + byteCount, bytes.count)]
    }
  }

  private static func check(_ test: FrameCase, _ pieces: [ArraySlice<UInt8>], _ how: String) {
    let verdict = verdict(pieces)
    #expect(verdict.answers == test.answers, "\(test.number), \(how)")
    #expect(verdict.end == test.end, "\(test.number), \(how)")
  }

  @Test func theCaseListIsWhole() {
    let all = FrameCase.small + FrameCase.utf8
    #expect(Set(all.map(\.number)).count == all.count)
    for (section, count) in [("1", 16), ("2", 11), ("3", 7), ("4", 10), ("5", 20)] {
      #expect(all.filter { $0.number.hasPrefix(section + ".") }.count == count)
    }
    #expect(FrameCase.utf8.count == 145)
    #expect(FrameCase.limits.count == 55)
  }

  @Test(arguments: FrameCase.small + FrameCase.utf8)
  func theVerdictIsThatOfTheList(test: FrameCase) {
    Self.check(test, [test.sent[...]], "at once")
    Self.check(test, Self.pieces(test.sent, of: test.pieceByteCount ?? 7), "in pieces")
    if test.sent.count < 70_000 { Self.check(test, Self.pieces(test.sent, of: 1), "by bytes") }
    var random = SeededRandom(seed: UInt64(test.sent.count))
    var rest = test.sent[...]
    var pieces: [ArraySlice<UInt8>] = []
    while !rest.isEmpty {
      let count = Int.random(in: 0...min(rest.count, 5000), using: &random)
      pieces.append(rest.prefix(count))
      rest = rest.dropFirst(count)
    }
    Self.check(test, pieces, "in random pieces")
  }

  @Test(arguments: FrameCase.limits.indices)
  func theVerdictIsThatOfTheListForLargeMessages(index: Int) {
    let test = FrameCase.limits[index]()
    Self.check(test, Self.pieces(test.sent, of: test.pieceByteCount ?? 65536), "in pieces")
  }

  /// The list's own verdicts on UTF-8, against Swift's decoder.
  @Test func utf8IsWhatSwiftTakes() {
    for test in FrameCase.utf8 where test.sent.count < 126 && test.sent[0] == 0x81 {
      let payload = zip(test.sent[6...], 0...).map { $0 ^ test.sent[2 + $1 & 3] }
      guard payload.count == Int(test.sent[1] & 0x7f) else { continue }
      #expect(
        (String(validating: payload, as: UTF8.self) != nil) == (test.end == .open), "\(test.number)"
      )
    }
  }

  /// All sequences of up to three bytes with a first byte that is no ASCII, and random longer ones.
  @Test func theStreamTakesJustUTF8() {
    func check(_ bytes: [UInt8]) {
      var stream = UTF8Stream()
      let isTaken = stream.accept(bytes[...]) && stream.isWhole
      if isTaken != (String(validating: bytes, as: UTF8.self) != nil) {
        Issue.record("\(bytes)")
      }
    }
    let edges: [UInt8] = [
      0, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xe0, 0xf4, 0xff,
    ]
    for first in UInt8(0x80)...0xff {
      check([first])
      for second in edges {
        check([first, second])
        for third in edges {
          check([first, second, third])
          for fourth in edges { check([first, second, third, fourth]) }
        }
      }
    }
  }

  // MARK: Beyond the list

  @Test func aFrameMustBeMasked() {
    #expect(Self.verdict([clientFrame(1, [0x61], mask: nil)[...]]).end == .closed(1002))
    // The second byte is enough to know.
    #expect(Self.verdict([[0x81, 0x00]]).end == .closed(1002))
  }

  @Test(
    arguments: [
      [0x81, 0xfe, 0x00, 0x7d], [0x81, 0xfe, 0x00, 0x00],
      [0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff], [0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 1],
      [0x82, 0xff, 0x80, 0, 0, 0, 0, 1, 0, 0],
      [0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ] as [[UInt8]])
  func aLengthHasTheShortestForm(header: [UInt8]) {
    #expect(Self.verdict([(header + [0, 0, 0, 0])[...]]).end == .closed(1002))
  }

  @Test func whatIsTooLargeIsRefusedByItsLength() {
    var limits = WebSocketLimits()
    limits.frameByteCountMax = 1000
    limits.messageByteCountMax = 1500
    let full = [UInt8](repeating: 0x61, count: 1000)
    #expect(Self.verdict([clientFrame(1, full)[...]], limits).end == .open)
    let header = Array(clientFrame(1, full + [0x61]).prefix(8))
    #expect(Self.verdict([header[...]], limits).end == .closed(1009))
    let begin = clientFrame(1, full, isFinal: false)
    let rest = [UInt8](repeating: 0x61, count: 500)
    #expect(Self.verdict([(begin + clientFrame(0, rest))[...]], limits).end == .open)
    #expect(
      Self.verdict([(begin + clientFrame(0, rest + [0x61]))[...]], limits).end == .closed(1009))
    // A length that no integer holds.
    let huge: [UInt8] = [0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]
    #expect(Self.verdict([huge[...]], limits).end == .closed(1009))
  }

  @Test func controlFramesDoNotCountTowardsTheMessage() {
    var limits = WebSocketLimits()
    limits.frameByteCountMax = 100
    limits.messageByteCountMax = 150
    let full = [UInt8](repeating: 0x61, count: 100)
    let ping = [UInt8](repeating: 1, count: 125)
    let sent =
      clientFrame(2, full, isFinal: false) + clientFrame(9, ping)
      + clientFrame(0, Array(full.prefix(50)))
    #expect(
      Self.verdict([sent[...]], limits)
        == ([.pong(ping), .message(WebSocketMessage(.binary, full + full.prefix(50)))], .open))
  }

  @Test func controlFramesInAMessageLeaveItAlone() {
    let character = Array("é".utf8)
    let sent =
      clientFrame(1, [character[0]], isFinal: false) + clientFrame(9, [0xff])
      + clientFrame(10, [0xfe]) + clientFrame(0, [character[1]])
    #expect(
      Self.verdict([sent[...]]) == ([.pong([0xff]), .message(.text("é"))], .open))
  }

  @Test func nothingIsReadAfterTheEnd() {
    var reader = FrameReader(limits: WebSocketLimits())
    #expect(reader.read(clientClose(1000)[...]).count == 1)
    #expect(reader.read(clientFrame(1, "x")[...]).isEmpty)
  }

  @Test func aHalfFrameIsNotIdle() {
    var reader = FrameReader(limits: WebSocketLimits())
    #expect(!reader.isAmid)
    _ = reader.read([0x81])
    #expect(reader.isAmid)
    _ = reader.read(clientFrame(1, "ab").dropFirst())
    #expect(!reader.isAmid)
    _ = reader.read(clientFrame(1, "ab", isFinal: false)[...])
    #expect(reader.isAmid)
    #expect(reader.frameCount == 2)
  }

  @Test func writtenFramesHaveTheShortestLength() {
    for (count, header) in [
      (0, [0x82, 0]), (125, [0x82, 125]), (126, [0x82, 126, 0, 126]),
      (65535, [0x82, 126, 0xff, 0xff]), (65536, [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
    ] as [(Int, [UInt8])] {
      var output: [UInt8] = []
      FrameWriter.append(
        WebSocketMessage(.binary, [UInt8](repeating: 7, count: count)), to: &output)
      #expect(Array(output.prefix(header.count)) == header)
      #expect(output.count == header.count + count)
    }
  }

  @Test func aLongReasonIsCutBetweenCharacters() {
    var output: [UInt8] = []
    FrameWriter.appendClose(.normal, reason: String(repeating: "é", count: 100), to: &output)
    #expect(output[1] == 124)
    #expect(String(validating: output[4...], as: UTF8.self) == String(repeating: "é", count: 61))
    output = []
    FrameWriter.appendClose(nil, reason: "x", to: &output)
    #expect(output == [0x88, 0])
  }
}
