// Frames of WebSocket (RFC 6455) as a server reads them: a pure value, bytes in and events out.
//
// Bytes may come in any pieces. What is wrong is told at the first byte that shows it, and after a
// violation or a Close frame nothing is read any more. A frame costs the memory of the bytes that have
// come, not of those that it announces. No extension is known, so reserved bits are violations.
//
// The framing is our own, because Debian's libwebsockets does not fit the engine: it asks for system
// calls that the confined engine does not have (recvfrom, sendto, getsockname), owns the event loop, and
// needs shared libraries (libssl, libcap and others) where our programs need libc only.

/// A whole message.
package struct WebSocketMessage: Equatable, Sendable {
  package enum Kind: Sendable {
    /// The bytes are UTF-8.
    case text
    case binary
  }

  package var kind: Kind
  package var bytes: [UInt8]

  package init(_ kind: Kind, _ bytes: [UInt8]) {
    self.kind = kind
    self.bytes = bytes
  }

  package static func text(_ text: String) -> WebSocketMessage {
    WebSocketMessage(.text, Array(text.utf8))
  }
}

enum Opcode: UInt8 {
  case continuation = 0
  case text = 1
  case binary = 2
  case close = 8
  case ping = 9
  case pong = 10

  var isControl: Bool { rawValue >= 8 }
}

package struct FrameReader: Sendable {
  package enum Event: Equatable, Sendable {
    case message(WebSocketMessage)
    case ping([UInt8])
    case pong([UInt8])
    /// The client's Close frame; without a code if it has no payload.
    case close(CloseCode?, reason: String)
    /// The client broke the protocol. The session must be closed with this code.
    case violation(CloseCode, String)
  }

  private struct Frame {
    var opcode: Opcode
    var isFinal: Bool
    var restByteCount: Int
    var mask: (UInt8, UInt8, UInt8, UInt8)
    /// How many payload bytes the mask was applied to, modulo 4.
    var maskPosition = 0
  }

  private static let controlByteCountMax = 125

  private let limits: WebSocketLimits
  /// The bytes of a frame's header that have come.
  private var header: [UInt8] = []
  /// The frame whose payload is being read.
  private var frame: Frame?
  private var control: [UInt8] = []
  /// The message whose frames are being read.
  private var message: WebSocketMessage?
  private var text = UTF8Stream()
  private var isOver = false
  /// The frames that have begun, for whoever limits their rate.
  private(set) var frameCount = 0
  /// The messages that are whole, and the control frames that stood in none.
  private(set) var wholeCount = 0

  package init(limits: WebSocketLimits) { self.limits = limits }

  /// Whether a frame or a message is half there.
  package var isAmid: Bool { !header.isEmpty || frame != nil || message != nil }

  /// What is kept of a message that is not whole.
  var heldByteCount: Int { message?.bytes.count ?? 0 }

  /// Forgets what is half there, and reads nothing any more.
  mutating func stop() {
    isOver = true
    header = []
    frame = nil
    message = nil
  }

  /// Reads all of the bytes, unless the events end with a violation or a close.
  package mutating func read(_ bytes: ArraySlice<UInt8>) -> [Event] {
    var events: [Event] = []
    var rest = bytes
    while !isOver, !rest.isEmpty {
      if frame == nil {
        guard let violation = readHeader(rest.removeFirst()) else {
          if frame?.restByteCount == 0 { endFrame(&events) }
          continue
        }
        end(&events, violation)
      } else if let violation = readPayload(&rest) {
        end(&events, violation)
      } else if frame?.restByteCount == 0 {
        endFrame(&events)
      }
    }
    return events
  }

  private mutating func end(_ events: inout [Event], _ event: Event) {
    isOver = true
    events.append(event)
  }

  private static func broken(_ text: String) -> Event { .violation(.protocolError, text) }

  // MARK: Header

  /// Takes one byte of a header. `frame` is there once the header is whole.
  private mutating func readHeader(_ byte: UInt8) -> Event? {
    header.append(byte)
    switch header.count {
    case 1:
      frameCount += 1
      return checkFirst(byte)
    case 2: return checkSecond(byte)
    default:
      let lengthByteCount = Self.lengthByteCount(header[1])
      guard header.count == 2 + lengthByteCount + 4 else { return nil }
      return begin(lengthByteCount)
    }
  }

  private func checkFirst(_ byte: UInt8) -> Event? {
    guard byte & 0x70 == 0 else { return Self.broken("a reserved bit is set") }
    guard let opcode = Opcode(rawValue: byte & 0x0f) else {
      return Self.broken("the opcode is reserved")
    }
    let isFinal = byte & 0x80 != 0
    if opcode.isControl {
      return isFinal ? nil : Self.broken("a control frame is fragmented")
    }
    if (opcode == .continuation) != (message != nil) {
      return Self.broken(
        message == nil ? "a continuation of nothing" : "a new message within another")
    }
    return nil
  }

  private func checkSecond(_ byte: UInt8) -> Event? {
    guard byte & 0x80 != 0 else { return Self.broken("the frame is not masked") }
    let isControl = header[0] & 0x08 != 0
    if isControl, byte & 0x7f > Self.controlByteCountMax {
      return Self.broken("a control frame is longer than 125 bytes")
    }
    return nil
  }

  private static func lengthByteCount(_ second: UInt8) -> Int {
    switch second & 0x7f {
    case 126: 2
    case 127: 8
    default: 0
    }
  }

  private mutating func begin(_ lengthByteCount: Int) -> Event? {
    let lengthEnd = 2 + lengthByteCount
    var length = UInt64(header[1] & 0x7f)
    if lengthByteCount > 0 {
      length = header[2..<lengthEnd].reduce(0) { $0 << 8 | UInt64($1) }
      guard length >= (lengthByteCount == 2 ? 126 : 65536), length >> 63 == 0 else {
        return Self.broken("the length has a shorter form, or is negative")
      }
    }
    let opcode = Opcode(rawValue: header[0] & 0x0f)!
    guard
      opcode.isControl
        || (length <= limits.frameByteCountMax
          && (message?.bytes.count ?? 0) + Int(length) <= limits.messageByteCountMax)
    else { return .violation(.tooLarge, "the message is too large") }
    switch opcode {
    case .text:
      message = WebSocketMessage(.text, [])
      text = UTF8Stream()
    case .binary: message = WebSocketMessage(.binary, [])
    case .continuation: break
    case .close, .ping, .pong: control = []
    }
    frame = Frame(
      opcode: opcode, isFinal: header[0] & 0x80 != 0, restByteCount: Int(length),
      mask: (
        header[lengthEnd], header[lengthEnd + 1], header[lengthEnd + 2], header[lengthEnd + 3]
      ))
    header.removeAll(keepingCapacity: true)
    return nil
  }

  // MARK: Payload

  private mutating func readPayload(_ rest: inout ArraySlice<UInt8>) -> Event? {
    guard var frame else { return nil }
    let piece = rest.prefix(frame.restByteCount)
    rest = rest.dropFirst(piece.count)
    frame.restByteCount -= piece.count
    defer { self.frame = frame }
    if frame.opcode.isControl {
      Self.append(piece, to: &control, &frame)
      return nil
    }
    guard let start = message?.bytes.count else { return nil }
    Self.append(piece, to: &message!.bytes, &frame)
    if message!.kind == .text, !text.accept(message!.bytes[start...]) {
      return .violation(.invalidData, "the text is no UTF-8")
    }
    return nil
  }

  private static func append(
    _ piece: ArraySlice<UInt8>, to bytes: inout [UInt8], _ frame: inout Frame
  ) {
    let mask = [frame.mask.0, frame.mask.1, frame.mask.2, frame.mask.3]
    var position = frame.maskPosition
    let start = bytes.count
    bytes.append(contentsOf: piece)
    for index in start..<bytes.count {
      bytes[index] ^= mask[position]
      position = (position + 1) & 3
    }
    frame.maskPosition = position
  }

  private mutating func endFrame(_ events: inout [Event]) {
    guard let frame else { return }
    self.frame = nil
    defer { if message == nil { wholeCount += 1 } }
    switch frame.opcode {
    case .ping: events.append(.ping(control))
    case .pong: events.append(.pong(control))
    case .close: end(&events, closeEvent())
    case .continuation, .text, .binary:
      guard frame.isFinal, let message else { return }
      self.message = nil
      guard message.kind == .binary || text.isWhole else {
        return end(&events, .violation(.invalidData, "the text ends within a character"))
      }
      events.append(.message(message))
    }
  }

  private func closeEvent() -> Event {
    if control.isEmpty { return .close(nil, reason: "") }
    guard control.count >= 2 else { return Self.broken("a close code of one byte") }
    let code = CloseCode(rawValue: UInt16(control[0]) << 8 | UInt16(control[1]))
    guard code.isSendable else {
      return Self.broken("the close code \(code.rawValue) is not one to send")
    }
    guard let reason = String(validating: control[2...], as: UTF8.self) else {
      return .violation(.invalidData, "the close reason is no UTF-8")
    }
    return .close(code, reason: reason)
  }
}
