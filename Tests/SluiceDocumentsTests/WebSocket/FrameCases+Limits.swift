// The cases of sections 9 and 10: large messages, many fragments, many pieces, many messages.

@testable import SluiceEngine

extension FrameCase {
  /// Made one by one, because together they have 160 MB.
  static let limits: [@Sendable () -> FrameCase] = {
    var cases: [@Sendable () -> FrameCase] = []
    let kinds: [(UInt8, WebSocketMessage.Kind, UInt8)] = [(1, .text, 0x2a), (2, .binary, 0xfe)]
    for (index, (opcode, kind, byte)) in kinds.enumerated() {
      func add(
        _ section: Int, _ number: Int, _ byteCount: Int, fragment: Int? = nil, piece: Int? = nil
      ) {
        cases.append {
          let payload = [UInt8](repeating: byte, count: byteCount)
          return FrameCase(
            number: "9.\(section + index).\(number)",
            sent: clientFrames(opcode, payload, fragmentByteCount: fragment ?? byteCount),
            answers: [.message(WebSocketMessage(kind, payload))], pieceByteCount: piece)
        }
      }
      for (number, kibibytes) in [64, 256, 1024, 4096, 8192, 16384].enumerated() {
        add(1, number + 1, kibibytes << 10)
      }
      for number in 1...9 { add(3, number, 4 << 20, fragment: 16 << (2 * number)) }
      for number in 1...6 { add(5, number, 1 << 20, piece: 32 << number) }
      for (number, byteCount) in [0, 16, 64, 256, 1024, 4096].enumerated() {
        cases.append {
          let payload = [UInt8](repeating: byte, count: byteCount)
          return FrameCase(
            number: "9.\(7 + index).\(number + 1)",
            sent: Array(
              repeatElement(clientFrame(opcode, payload, mask: [0, 0, 0, 0]), count: 1000).joined()),
            answers: [Answer](
              repeating: .message(WebSocketMessage(kind, payload)), count: 1000))
        }
      }
    }
    cases.append {
      let payload = [UInt8](repeating: 0x2a, count: 65536)
      return FrameCase(
        number: "10.1.1", sent: clientFrames(1, payload, fragmentByteCount: 1300),
        answers: [.message(WebSocketMessage(.text, payload))])
    }
    return cases
  }()
}
