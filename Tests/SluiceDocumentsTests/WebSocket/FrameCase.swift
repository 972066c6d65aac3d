// A case of the list by which WebSocket implementations are tested (Autobahn's, sections 1 to 7, 9 and
// 10): what a client sends, and what an echo server must answer.

@testable import SluiceEngine

struct FrameCase: Sendable, CustomStringConvertible {
  /// What the server must answer, in this order.
  enum Answer: Equatable, Sendable {
    case message(WebSocketMessage)
    case pong([UInt8])
  }

  /// How the session ends.
  enum End: Equatable, Sendable {
    /// The session stays open until the client closes it.
    case open
    /// The server has sent Close with this code; nil without a payload.
    case closed(UInt16?)
  }

  var number: String
  var sent: [UInt8]
  var answers: [Answer] = []
  var end = End.open
  /// In how small pieces the bytes go; nil for all at once.
  var pieceByteCount: Int?

  var description: String { number }
}

// MARK: What a client sends

/// A frame as a client sends it, masked unless `mask` is nil.
func clientFrame(
  _ opcode: UInt8, _ payload: [UInt8] = [], isFinal: Bool = true, reserved: UInt8 = 0,
  mask: [UInt8]? = [0x37, 0xfa, 0x21, 0x3d]
) -> [UInt8] {
  var frame = [(isFinal ? 0x80 : 0) | reserved << 4 | opcode]
  let bit: UInt8 = mask == nil ? 0 : 0x80
  switch payload.count {
  case ..<126: frame.append(bit | UInt8(payload.count))
  case ..<65536: frame += [bit | 126, UInt8(payload.count >> 8), UInt8(payload.count & 0xff)]
  default:
    frame.append(bit | 127)
    for shift in stride(from: 56, through: 0, by: -8) {
      frame.append(UInt8(payload.count >> shift & 0xff))
    }
  }
  guard let mask else { return frame + payload }
  frame += mask
  if mask == [0, 0, 0, 0] { return frame + payload }
  for (index, byte) in payload.enumerated() { frame.append(byte ^ mask[index & 3]) }
  return frame
}

func clientFrame(_ opcode: UInt8, _ text: String, isFinal: Bool = true, reserved: UInt8 = 0)
  -> [UInt8]
{
  clientFrame(opcode, Array(text.utf8), isFinal: isFinal, reserved: reserved)
}

func clientClose(_ code: UInt16, _ reason: [UInt8] = []) -> [UInt8] {
  clientFrame(8, [UInt8(code >> 8), UInt8(code & 0xff)] + reason)
}

/// A message in frames of so many bytes.
func clientFrames(_ opcode: UInt8, _ payload: [UInt8], fragmentByteCount: Int) -> [UInt8] {
  var frames: [UInt8] = []
  for start in stride(from: 0, to: payload.count, by: fragmentByteCount) {
    let end = min(start + fragmentByteCount, payload.count)
    frames += clientFrame(
      start == 0 ? opcode : 0, Array(payload[start..<end]), isFinal: end == payload.count,
      mask: [0, 0, 0, 0])
  }
  return frames
}
