// Frames of WebSocket (RFC 6455) as a server writes them: not masked, not fragmented, with the shortest
// form of the length.

enum FrameWriter {
  static func append(_ message: WebSocketMessage, to output: inout [UInt8]) {
    append(message.kind == .text ? .text : .binary, message.bytes, to: &output)
  }

  /// Without a code the frame has no payload. A reason is cut to the 123 bytes that there is room for.
  static func appendClose(_ code: CloseCode?, reason: String, to output: inout [UInt8]) {
    guard let code else { return append(.close, [], to: &output) }
    var payload = [UInt8(code.rawValue >> 8), UInt8(code.rawValue & 0xff)]
    for character in reason.unicodeScalars {
      let bytes = UTF8.encode(character)!
      guard payload.count + bytes.count <= 125 else { break }
      payload.append(contentsOf: bytes)
    }
    append(.close, payload, to: &output)
  }

  /// A control frame's payload has 125 bytes at most.
  static func append(_ opcode: Opcode, _ payload: [UInt8], to output: inout [UInt8]) {
    output.append(0x80 | opcode.rawValue)
    switch payload.count {
    case ..<126: output.append(UInt8(payload.count))
    case ..<65536:
      output.append(126)
      appendBigEndian(UInt64(payload.count), byteCount: 2, to: &output)
    default:
      output.append(127)
      appendBigEndian(UInt64(payload.count), byteCount: 8, to: &output)
    }
    output.append(contentsOf: payload)
  }

  private static func appendBigEndian(
    _ value: UInt64, byteCount: Int, to output: inout [UInt8]
  ) {
    for index in (0..<byteCount).reversed() {
      output.append(UInt8(truncatingIfNeeded: value >> UInt64(index * 8)))
    }
  }
}
