// The cases of sections 1 to 5 and 7: framing, pings, reserved bits, opcodes, fragmentation, close.

@testable import SluiceEngine

extension FrameCase {
  static let small: [FrameCase] = framing + pings + reserved + opcodes + fragments + closes

  private static let hello = Array("Hello, world!".utf8)
  private static let odd: [UInt8] = [0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0x00, 0xff]
  private static let broken = End.closed(1002)

  private static func text(_ bytes: [UInt8]) -> Answer { .message(WebSocketMessage(.text, bytes)) }
  private static func text(_ text: String) -> Answer { .message(.text(text)) }

  // MARK: 1

  private static var framing: [FrameCase] {
    var cases: [FrameCase] = []
    for (section, opcode, kind, byte) in [
      (1, UInt8(1), WebSocketMessage.Kind.text, UInt8(ascii: "*")),
      (2, UInt8(2), WebSocketMessage.Kind.binary, UInt8(0xfe)),
    ] {
      for (index, count) in [0, 125, 126, 127, 128, 65535, 65536, 65536].enumerated() {
        let payload = [UInt8](repeating: byte, count: count)
        cases.append(
          FrameCase(
            number: "1.\(section).\(index + 1)", sent: clientFrame(opcode, payload),
            answers: [.message(WebSocketMessage(kind, payload))],
            pieceByteCount: index == 7 ? 997 : nil))
      }
    }
    return cases
  }

  // MARK: 2

  private static var pings: [FrameCase] {
    let long = [UInt8](repeating: 0xfe, count: 125)
    let ten = (0..<10).map { Array("payload-\($0)".utf8) }
    let tenFrames = ten.flatMap { clientFrame(9, $0) }
    return [
      FrameCase(number: "2.1", sent: clientFrame(9), answers: [.pong([])]),
      FrameCase(number: "2.2", sent: clientFrame(9, hello), answers: [.pong(hello)]),
      FrameCase(number: "2.3", sent: clientFrame(9, odd), answers: [.pong(odd)]),
      FrameCase(number: "2.4", sent: clientFrame(9, long), answers: [.pong(long)]),
      FrameCase(number: "2.5", sent: clientFrame(9, long + [0xfe]), end: broken),
      FrameCase(
        number: "2.6", sent: clientFrame(9, long), answers: [.pong(long)], pieceByteCount: 1),
      FrameCase(number: "2.7", sent: clientFrame(10)),
      FrameCase(number: "2.8", sent: clientFrame(10, hello)),
      FrameCase(
        number: "2.9", sent: clientFrame(10, hello) + clientFrame(9, odd), answers: [.pong(odd)]),
      FrameCase(number: "2.10", sent: tenFrames, answers: ten.map { .pong($0) }),
      FrameCase(
        number: "2.11", sent: tenFrames, answers: ten.map { .pong($0) }, pieceByteCount: 1),
    ]
  }

  // MARK: 3

  private static var reserved: [FrameCase] {
    let first = clientFrame(1, hello)
    return [
      FrameCase(number: "3.1", sent: clientFrame(1, hello, reserved: 1), end: broken),
      FrameCase(
        number: "3.2", sent: first + clientFrame(1, hello, reserved: 2) + clientFrame(9),
        answers: [text(hello)], end: broken),
      FrameCase(
        number: "3.3", sent: first + clientFrame(1, hello, reserved: 3) + clientFrame(9),
        answers: [text(hello)], end: broken),
      FrameCase(
        number: "3.4", sent: first + clientFrame(1, hello, reserved: 4) + clientFrame(9),
        answers: [text(hello)], end: broken, pieceByteCount: 1),
      FrameCase(number: "3.5", sent: clientFrame(2, odd, reserved: 5), end: broken),
      FrameCase(number: "3.6", sent: clientFrame(9, hello, reserved: 6), end: broken),
      FrameCase(number: "3.7", sent: clientFrame(8, [], reserved: 7), end: broken),
    ]
  }

  // MARK: 4

  private static var opcodes: [FrameCase] {
    var cases: [FrameCase] = []
    for (section, opcodes) in [(1, 3...7), (2, 11...15)] {
      for (index, opcode) in opcodes.enumerated() {
        let isFirst = index < 2
        let payload = index == 1 || index >= 3 ? hello : []
        cases.append(
          FrameCase(
            number: "4.\(section).\(index + 1)",
            sent: (isFirst ? [] : clientFrame(1, hello)) + clientFrame(UInt8(opcode), payload)
              + clientFrame(9),
            answers: isFirst ? [] : [text(hello)], end: broken,
            pieceByteCount: index == 4 ? 1 : nil))
      }
    }
    return cases
  }

  // MARK: 5

  private static var fragments: [FrameCase] {
    func part(_ opcode: UInt8, _ number: Int, isFinal: Bool) -> [UInt8] {
      clientFrame(opcode, "fragment\(number)", isFinal: isFinal)
    }
    let two = part(1, 1, isFinal: false) + part(0, 2, isFinal: true)
    let whole = text("fragment1fragment2")
    let ping = clientFrame(9, odd)
    let split = part(1, 1, isFinal: false) + ping + part(0, 2, isFinal: true)
    var cases = [
      FrameCase(
        number: "5.1", sent: part(9, 1, isFinal: false) + part(0, 2, isFinal: true), end: broken),
      FrameCase(
        number: "5.2", sent: part(10, 1, isFinal: false) + part(0, 2, isFinal: true), end: broken),
    ]
    for (number, piece) in [("5.3", nil), ("5.4", 16), ("5.5", 1)] as [(String, Int?)] {
      cases.append(
        FrameCase(number: number, sent: two, answers: [whole], pieceByteCount: piece))
    }
    for (number, piece) in [("5.6", nil), ("5.7", 16), ("5.8", 1)] as [(String, Int?)] {
      cases.append(
        FrameCase(number: number, sent: split, answers: [.pong(odd), whole], pieceByteCount: piece))
    }
    for (number, isFinal, piece) in [
      ("5.9", true, nil), ("5.10", true, 16), ("5.11", true, 1), ("5.12", false, nil),
      ("5.13", false, 16), ("5.14", false, 1),
    ] as [(String, Bool, Int?)] {
      cases.append(
        FrameCase(
          number: number, sent: part(0, 1, isFinal: isFinal) + clientFrame(1, hello), end: broken,
          pieceByteCount: piece))
    }
    cases.append(
      FrameCase(
        number: "5.15", sent: two + part(0, 3, isFinal: false) + part(1, 4, isFinal: true),
        answers: [whole], end: broken))
    for (number, isFinal) in [("5.16", false), ("5.17", true)] {
      cases.append(
        FrameCase(
          number: number,
          sent: part(0, 1, isFinal: isFinal) + part(1, 2, isFinal: false)
            + part(0, 3, isFinal: true), end: broken))
    }
    cases.append(
      FrameCase(
        number: "5.18", sent: part(1, 1, isFinal: false) + part(1, 2, isFinal: true), end: broken))
    for (number, piece) in [("5.19", nil), ("5.20", 1)] as [(String, Int?)] {
      cases.append(
        FrameCase(
          number: number,
          sent: part(1, 1, isFinal: false) + part(0, 2, isFinal: false) + ping
            + part(0, 3, isFinal: false) + part(0, 4, isFinal: false) + clientFrame(9, hello)
            + part(0, 5, isFinal: true),
          answers: [
            .pong(odd), .pong(hello), text("fragment1fragment2fragment3fragment4fragment5"),
          ],
          pieceByteCount: piece))
    }
    return cases
  }

  // MARK: 7

  private static var closes: [FrameCase] {
    let close = clientClose(1000)
    let badReason: [UInt8] = Array("κόσμε".utf8) + [0xed, 0xa0, 0x80] + hello
    var cases = [
      FrameCase(number: "7.1.1", sent: clientFrame(1, hello), answers: [text(hello)]),
      FrameCase(number: "7.1.2", sent: close + clientFrame(8), end: .closed(1000)),
      FrameCase(number: "7.1.3", sent: close + clientFrame(9), end: .closed(1000)),
      FrameCase(number: "7.1.4", sent: close + clientFrame(1, hello), end: .closed(1000)),
      FrameCase(
        number: "7.1.5",
        sent: clientFrame(1, "fragment1", isFinal: false) + close
          + clientFrame(0, "fragment2"), end: .closed(1000)),
      FrameCase(
        number: "7.1.6",
        sent: clientFrame(1, [UInt8](repeating: 0x42, count: 256 << 10)) + clientFrame(1, hello)
          + close + clientFrame(9),
        answers: [text([UInt8](repeating: 0x42, count: 256 << 10)), text(hello)],
        end: .closed(1000)),
      FrameCase(number: "7.3.1", sent: clientFrame(8), end: .closed(nil)),
      FrameCase(number: "7.3.2", sent: clientFrame(8, [0x61]), end: broken),
      FrameCase(number: "7.3.3", sent: close, end: .closed(1000)),
      FrameCase(number: "7.3.4", sent: clientClose(1000, hello), end: .closed(1000)),
      FrameCase(
        number: "7.3.5", sent: clientClose(1000, [UInt8](repeating: 0x2a, count: 123)),
        end: .closed(1000)),
      FrameCase(
        number: "7.3.6", sent: clientClose(1000, [UInt8](repeating: 0x2a, count: 124)), end: broken),
      FrameCase(number: "7.5.1", sent: clientClose(1000, badReason), end: .closed(1007)),
    ]
    let valid: [UInt16] = [
      1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999, 1012, 1013,
      1014,
    ]
    for (index, code) in valid.enumerated() {
      cases.append(
        FrameCase(number: "7.7.\(index + 1)", sent: clientClose(code), end: .closed(code)))
    }
    let invalid: [UInt16] = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 1015]
    for (index, code) in invalid.enumerated() {
      cases.append(FrameCase(number: "7.9.\(index + 1)", sent: clientClose(code), end: broken))
    }
    for (index, code) in [UInt16(5000), 65535].enumerated() {
      cases.append(FrameCase(number: "7.13.\(index + 1)", sent: clientClose(code), end: broken))
    }
    return cases
  }
}
