// Any bytes from a WebSocket client, in any pieces: as frames, as the head of an upgrade, and through a
// whole connection. How the bytes are cut changes nothing, and what is let through is within the limits.

@testable import SluiceEngine

struct FramesTarget: FuzzTarget {
  static let name = "frames"

  private static let upgrade = Array(
    ("GET /api/storage/new/v2/s/ws?token=a HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
      + "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
      + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://o\r\n\r\n").utf8)

  private let limits: WebSocketLimits
  private let origins = OriginRule(["https://o"])

  /// The first byte says how the rest is cut, and what it is.
  static func seeds(from vectors: SeedVectors) -> [[UInt8]] {
    let mask: [UInt8] = [1, 2, 3, 4]
    func frame(_ first: UInt8, _ payload: [UInt8]) -> [UInt8] {
      var frame = [first, 0x80 | UInt8(payload.count)] + mask
      for (index, byte) in payload.enumerated() { frame.append(byte ^ mask[index & 3]) }
      return frame
    }
    let text = Array("κόσμε".utf8)
    let medium: [UInt8] = [0x82, 0xfe, 0, 126] + mask + [UInt8](repeating: 5, count: 126)
    let huge: [UInt8] = [0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0] + mask
    let split = frame(0x01, [text[0]]) + frame(0x89, [7]) + frame(0x80, [text[1]])
    let frames: [[UInt8]] = [
      frame(0x81, text), split, frame(0x82, [0xff]), frame(0x88, [3, 232] + text),
      frame(0x88, []), frame(0x8a, [1]), medium, huge, frame(0x81, [0xed, 0xa0, 0x80]),
    ]
    var seeds: [[UInt8]] = [[3] + upgrade, [4] + upgrade.dropLast(4)]
    for frame in frames {
      for first in UInt8(0)..<3 { seeds.append([first] + frame) }
      seeds.append([3] + upgrade + frame)
    }
    return seeds
  }

  init() {
    var limits = WebSocketLimits()
    limits.headByteCountMax = 512
    limits.headerCountMax = 8
    limits.frameByteCountMax = 1024
    limits.messageByteCountMax = 1500
    limits.outputByteCountMax = 4096
    self.limits = limits
  }

  func run(_ input: [UInt8]) {
    guard let first = input.first else { return }
    let bytes = input[1...]
    checkFrames(bytes, pieceByteCount: Int(first >> 2) + 1)
    checkConnection(bytes, pieceByteCount: Int(first >> 2) + 1, isGreeted: first & 3 != 3)
    _ = percentDecoded(bytes)
  }

  private func checkFrames(_ bytes: ArraySlice<UInt8>, pieceByteCount: Int) {
    var whole = FrameReader(limits: limits)
    let events = whole.read(bytes)
    var piecewise = FrameReader(limits: limits)
    var others: [FrameReader.Event] = []
    for piece in pieces(bytes, pieceByteCount) { others += piecewise.read(piece) }
    require(events == others, "pieces change what frames say")
    for (index, event) in events.enumerated() {
      switch event {
      case .message(let message):
        require(message.bytes.count <= limits.messageByteCountMax, "a message above the limit")
        require(
          message.kind == .binary || String(validating: message.bytes, as: UTF8.self) != nil,
          "a text that is no UTF-8")
      case .ping(let payload), .pong(let payload):
        require(payload.count <= 125, "a control frame above the limit")
      case .close(let code, _):
        require(code?.isSendable ?? true, "a code that may not be sent")
        require(index == events.count - 1, "frames behind a close")
      case .violation(let code, _):
        require([.protocolError, .invalidData, .tooLarge].contains(code), "a strange code")
        require(index == events.count - 1, "frames behind a violation")
      }
    }
  }

  private func pieces(_ bytes: ArraySlice<UInt8>, _ byteCount: Int) -> [ArraySlice<UInt8>] {
    stride(from: bytes.startIndex, to: bytes.endIndex, by: byteCount).map {
      bytes[$0..<min($0 + byteCount, bytes.endIndex)]
    }
  }

  /// The server's part, without sockets. The client takes nothing of what is sent to it.
  private func checkConnection(
    _ bytes: ArraySlice<UInt8>, pieceByteCount: Int, isGreeted: Bool
  ) {
    var connection = WebSocketConnection(
      limits: limits, origins: origins, isSurplus: false, now: 0)
    var now: Int64 = 0
    let all = isGreeted ? Self.upgrade[...] + bytes : bytes
    for piece in pieces(all, isGreeted ? 64 + pieceByteCount : pieceByteCount) {
      guard connection.wantsInput else { break }
      now += 1
      take(connection.receive(piece, now: now), &connection, now)
      connection.passTime(now: now, isPaused: false)
      require(
        connection.unsentByteCount <= limits.outputByteCountMax + 128 * limits.frameByteCountMax,
        "the output has no bound")
    }
    // Whatever has come, time ends it.
    for _ in 0..<10 where !connection.isOver {
      now += 1_000_000
      connection.passTime(now: now, isPaused: false)
    }
    require(connection.isOver, "a silent client stays for ever")
  }

  private func take(
    _ events: [WebSocketConnection.Event], _ connection: inout WebSocketConnection, _ now: Int64
  ) {
    for event in events {
      switch event {
      case .asked(let request):
        require(request.space.utf8.count <= limits.headByteCountMax, "a name above the limit")
        connection.accept(now: now)
        take(connection.readRest(now: now), &connection, now)
      case .message(let message): connection.send(message, now: now)
      case .ending(let code, let reason): connection.end(code, reason: reason, now: now)
      }
    }
  }
}
