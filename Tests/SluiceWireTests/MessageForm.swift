// One form for every operation's messages: fields to bytes, and back. The tests of a
// new operation fail until it has vectors.

import SluiceWire
import TestSupport

/// A message type without its type.
struct MessageForm: Sendable {
  /// The wire types in order. `bytes?` may be null on the wire.
  let types: [String]
  let encode: @Sendable ([Argument], ByteOrder) throws(WireError) -> [UInt8]
  let decode: @Sendable ([UInt8], ByteOrder) throws(WireError) -> [Argument]

  init<M: Message>(_ type: M.Type) {
    var recorder = FieldRecorder()
    var blank = M()
    let isCoded = (try? blank.code(&recorder)) != nil
    precondition(isCoded, "a blank message is a valid one")
    types = recorder.types
    encode = { (arguments, order) throws(WireError) in
      var message = M()
      var setter = FieldSetter(arguments: arguments[...])
      try message.code(&setter)
      guard setter.arguments.isEmpty else { throw .wrongCount }
      let whole = message
      return try unsafe withGuardedRoom(70_000) { (room) throws(WireError) in
        try unsafe whole.encode(into: room, order: order)
      }
    }
    decode = { (bytes, order) throws(WireError) in
      try unsafe withExactCopy(of: bytes) { (buffer) throws(WireError) in
        var message = try unsafe M(decoding: buffer, order: order)
        var recorder = FieldRecorder()
        try message.code(&recorder)
        return recorder.arguments
      }
    }
  }
}

/// Makes the form of a message type.
private struct FormMaker: MessageVisitor {
  func callAsFunction<M: Message>(_ type: M.Type) -> MessageForm { MessageForm(type) }
}

extension Operation {
  var request: MessageForm { withRequest(FormMaker()) }
  var reply: MessageForm { withReply(FormMaker()) }

  func form(_ message: String) throws -> MessageForm {
    switch message {
    case "request": request
    case "reply": reply
    default: throw BadVector(reason: "neither request nor reply: \(message)")
    }
  }
}

/// Records the fields of a message.
private struct FieldRecorder: FieldCoder {
  var arguments: [Argument] = []
  var types: [String] = []

  private mutating func record(_ argument: Argument, _ type: String? = nil) {
    arguments.append(argument)
    types.append(type ?? "\(argument.type)")
  }

  mutating func bigint(_ field: inout Int64) { record(.bigint(field)) }
  mutating func unsigned(_ field: inout UInt64) { record(.unsigned(field)) }
  mutating func boolean(_ field: inout Bool) { record(.boolean(field)) }
  mutating func bytes(_ field: inout [UInt8]) { record(.bytes(field)) }
  mutating func optionalBytes(_ field: inout [UInt8]?) {
    record(field.map { .bytes($0) } ?? .null, "bytes?")
  }
}

/// Fills a message from a list.
private struct FieldSetter: FieldCoder {
  var arguments: ArraySlice<Argument>

  mutating func bigint(_ field: inout Int64) throws(WireError) {
    guard case .bigint(let value) = arguments.popFirst() else { throw .wrongType }
    field = value
  }

  mutating func unsigned(_ field: inout UInt64) throws(WireError) {
    guard case .unsigned(let value) = arguments.popFirst() else { throw .wrongType }
    field = value
  }

  mutating func boolean(_ field: inout Bool) throws(WireError) {
    guard case .boolean(let value) = arguments.popFirst() else { throw .wrongType }
    field = value
  }

  mutating func bytes(_ field: inout [UInt8]) throws(WireError) {
    guard case .bytes(let value) = arguments.popFirst() else { throw .wrongType }
    field = value
  }

  mutating func optionalBytes(_ field: inout [UInt8]?) throws(WireError) {
    if case .null = arguments.first {
      _ = arguments.popFirst()
      field = nil
    } else {
      var value: [UInt8] = []
      try bytes(&value)
      field = value
    }
  }
}
