// A client that sends any bytes over TCP, and waits at most some seconds for what comes.

import Foundation

@testable import SluiceEngine

final class RawPeer {
  private let socket: Int32
  private(set) var received: [UInt8] = []
  /// Whether the server has ended the stream.
  private(set) var isEnded = false

  /// The upgrade that the tests use.
  static let upgrade = Array(
    ("GET /api/storage/new/v2/did%3Akey%3Atest/ws HTTP/1.1\r\nHost: localhost\r\n"
      + "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
      + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").utf8)

  init(port: UInt16) throws {
    socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let result = unsafe withUnsafePointer(to: &address) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else { throw POSIXError(.ECONNREFUSED) }
    var time = timeval(tv_sec: 20, tv_usec: 0)
    let size = socklen_t(MemoryLayout<timeval>.size)
    _ = unsafe setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &time, size)
    _ = unsafe setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &time, size)
  }

  deinit { close(socket) }

  /// Sends all, and receives meanwhile what fills the server's way back. False if the server takes no
  /// more.
  @discardableResult func send(_ bytes: [UInt8], pieceByteCount: Int? = nil) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let piece = Array(rest.prefix(pieceByteCount ?? 65536))
      var entry = pollfd(fd: socket, events: Int16(POLLIN | POLLOUT), revents: 0)
      guard unsafe poll(&entry, 1, 20_000) == 1 else { return false }
      if entry.revents & Int16(POLLIN) != 0, !receive() { return false }
      guard entry.revents & Int16(POLLOUT) != 0 else { continue }
      let count = unsafe Foundation.send(
        socket, piece, piece.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
      if count < 0, errno == EAGAIN { continue }
      guard count > 0 else { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }

  /// Sends the bytes again and again, and receives nothing, until the server has taken none for half a
  /// second or so many are sent. Gives how many were.
  func sendWithoutReceiving(_ bytes: [UInt8], byteCountMax: Int) -> Int {
    var sentByteCount = 0
    while sentByteCount < byteCountMax {
      var entry = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
      guard unsafe poll(&entry, 1, 500) == 1 else { break }
      let rest = Array(bytes[(sentByteCount % bytes.count)...])
      let count = unsafe Foundation.send(
        socket, rest, rest.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
      if count < 0, errno == EAGAIN { continue }
      guard count > 0 else { break }
      sentByteCount += count
    }
    return sentByteCount
  }

  /// Receives once. False at the end of the stream, or if nothing comes.
  @discardableResult func receive() -> Bool {
    var buffer = [UInt8](repeating: 0, count: 65536)
    let count = unsafe recv(socket, &buffer, buffer.count, 0)
    guard count > 0 else {
      isEnded = count == 0 || errno == ECONNRESET
      return false
    }
    received += buffer[..<count]
    return true
  }

  func receiveUntilEnd() { while receive() {} }

  /// Receives until there are so many bytes.
  func receive(byteCount: Int) -> Bool {
    while received.count < byteCount { guard receive() else { return false } }
    return true
  }

  func endSending() { shutdown(socket, Int32(SHUT_WR)) }

  /// What has come as text: the answer to an upgrade that is refused.
  var text: String { String(decoding: received, as: UTF8.self) }

  /// Sends the upgrade, and takes the answer off what has come.
  func greet() -> Bool {
    send(Self.upgrade)
    let end: [UInt8] = [13, 10, 13, 10]
    while true {
      for index in received.indices.dropLast(3) where received[index..<index + 4] == end[...] {
        let isAccepted = text.hasPrefix("HTTP/1.1 101 ")
        received.removeFirst(index + 4)
        return isAccepted
      }
      guard receive() else { return false }
    }
  }

  /// The whole frames that have come: opcode and payload. Nil if one is not as a server must send it.
  func frames() -> [(opcode: UInt8, payload: [UInt8])]? {
    var frames: [(opcode: UInt8, payload: [UInt8])] = []
    var rest = received[...]
    while rest.count >= 2 {
      let start = rest.startIndex
      guard rest[start] & 0xf0 == 0x80, rest[start + 1] & 0x80 == 0 else { return nil }
      let wide = [126: 2, 127: 8][rest[start + 1]] ?? 0
      guard rest.count >= 2 + wide else { break }
      let length =
        wide == 0
        ? Int(rest[start + 1]) : rest[start + 2..<start + 2 + wide].reduce(0) { $0 << 8 | Int($1) }
      guard rest.count >= 2 + wide + length else { break }
      let payload = rest[start + 2 + wide..<start + 2 + wide + length]
      frames.append((rest[start] & 0x0f, Array(payload)))
      rest = rest.dropFirst(2 + wide + length)
    }
    return frames
  }

  /// The code of the Close frame that came last; nil if the last is none, or has no code.
  var closeCode: UInt16? {
    guard let last = frames()?.last, last.opcode == 8, last.payload.count >= 2 else { return nil }
    return UInt16(last.payload[0]) << 8 | UInt16(last.payload[1])
  }
}
