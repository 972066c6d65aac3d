// Every message of the protocol by its operation, handled alike.

import SluiceChannel
import SluiceWire
import TestSupport

/// A message type without its type.
struct MessageForm: Sendable {
  let name: String
  /// Reads the bytes and, if they are such a message, checks the rules that hold for every message.
  let check: @Sendable (_ bytes: [UInt8], _ order: ByteOrder) -> Bool
  /// Reads the arguments of a request as such a message.
  let take: @Sendable (_ end: ProxyEnd, _ request: Request) throws(ProtocolViolation) -> Void
  /// Makes a call whose answer has that form.
  let call:
    @Sendable (
      _ end: ClientEndBox, _ operation: SluiceWire.Operation, _ sending: [UInt8],
      _ receivingByteCount: Int
    ) throws(ChannelFailure) -> Void

  init<M: Message>(_ type: M.Type) {
    name = "\(type)"
    check = { (bytes, order) in checkMessage(type, bytes, order) }
    take = { (end, request) throws(ProtocolViolation) in
      _ = try end.arguments(of: request, as: type)
    }
    call = { (end, operation, sending, receivingByteCount) throws(ChannelFailure) in
      try end.call(operation, sending, receivingByteCount, replyingWith: type)
    }
  }

  /// All forms, each once.
  static let all: [MessageForm] = {
    var seen: Set<String> = []
    return SluiceWire.Operation.allCases.flatMap { [$0.request, $0.reply] }
      .filter { seen.insert($0.name).inserted }
  }()
}

/// A message that was read can be written and read again, and is then the same message. To write it
/// again gives the same bytes.
private func checkMessage<M: Message>(
  _ type: M.Type, _ bytes: [UInt8], _ order: ByteOrder
) -> Bool {
  guard let message = decode(type, bytes, order) else { return false }
  guard let written = encode(message, bytes.count, order) else {
    broken("\(type) was read from \(bytes.count) bytes and does not fit them: \(bytes)")
  }
  guard let again = decode(type, written, order), again == message else {
    broken("\(type) \(message) is written as what is not it: \(written)")
  }
  require(
    encode(again, written.count, order) == written, "\(type) is written in two ways: \(message)")
  // With one byte less there is no room to write it, and no message to read.
  require(encode(message, written.count - 1, order) == nil, "\(type) in too little room")
  require(decode(type, Array(written.dropLast()), order) == nil, "\(type) without its last byte")
  require(decode(type, written + [0], order) == nil, "\(type) with a byte too many")
  return true
}

/// Decodes from memory that ends with the bytes, so that the sanitizer sees a read beyond them.
private func decode<M: Message>(_ type: M.Type, _ bytes: [UInt8], _ order: ByteOrder) -> M? {
  let room = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
  defer { unsafe room.deallocate() }
  unsafe room.copyBytes(from: bytes)
  return try? unsafe M(decoding: UnsafeRawBufferPointer(room), order: order)
}

/// Nil if the message does not fit.
private func encode<M: Message>(_ message: M, _ byteCount: Int, _ order: ByteOrder) -> [UInt8]? {
  let room = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 1)
  defer { unsafe room.deallocate() }
  do throws(WireError) {
    let count = try unsafe message.encode(into: room, order: order)
    return unsafe Array(room[..<count])
  } catch {
    require(error == .tooLong, "\(M.self) \(message) cannot be written: \(error)")
    return nil
  }
}

/// Makes the form of a message type.
private struct FormMaker: MessageVisitor {
  func callAsFunction<M: Message>(_ type: M.Type) -> MessageForm { MessageForm(type) }
}

extension SluiceWire.Operation {
  var request: MessageForm { withRequest(FormMaker()) }
  var reply: MessageForm { withReply(FormMaker()) }
}
