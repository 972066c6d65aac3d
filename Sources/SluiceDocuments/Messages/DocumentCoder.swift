// The bytes of a call's request and answer. A message declares its fields once; two coders use this
// one declaration to write and to read them. Protocol/DOCUMENTS.md has the tables.
//
// Numbers are 8 bytes, little-endian. A text or a run of bytes has its count before it in 4 bytes, a
// list the number of its items. What may be missing has a byte before it: 1 if it is there.

package import SluiceAutomerge
package import SluiceWire

/// A request, an answer, or a part of one.
package protocol DocumentMessage {
  init()
  /// Passes every field, in the order of the wire, to the coder.
  mutating func code<Coder: DocumentCoder>(_ coder: inout Coder) throws(WireError)
}

package protocol DocumentCoder {
  mutating func byte(_ field: inout UInt8) throws(WireError)
  mutating func number(_ field: inout Int64) throws(WireError)
  mutating func bytes(_ field: inout [UInt8]) throws(WireError)
  mutating func text(_ field: inout String) throws(WireError)
  mutating func hash(_ field: inout ChangeHash) throws(WireError)
  /// The items of a list, each by `body`. An item takes at least `byteCount` bytes, so that no number
  /// of items promises more than the bytes can hold.
  mutating func list<Item>(
    _ field: inout [Item], of blank: Item, byteCount: Int,
    _ body: (inout Self, inout Item) throws(WireError) -> Void
  ) throws(WireError)
}

extension DocumentCoder {
  package mutating func flag(_ field: inout Bool) throws(WireError) {
    var byte: UInt8 = field ? 1 : 0
    try self.byte(&byte)
    guard byte < 2 else { throw .outOfRange }
    field = byte == 1
  }

  /// An enumeration is its raw value. An unknown one is refused.
  package mutating func choice<T: RawRepresentable>(_ field: inout T) throws(WireError)
  where T.RawValue == UInt8 {
    var byte = field.rawValue
    try self.byte(&byte)
    guard let value = T(rawValue: byte) else { throw .outOfRange }
    field = value
  }

  package mutating func optional<T>(
    _ field: inout T?, _ blank: T, _ body: (inout Self, inout T) throws(WireError) -> Void
  ) throws(WireError) {
    var isThere = field != nil
    try flag(&isThere)
    guard isThere else {
      field = nil
      return
    }
    var value = field ?? blank
    try body(&self, &value)
    field = value
  }

  package mutating func text(_ field: inout String?) throws(WireError) {
    try optional(&field, "") { (coder, text) throws(WireError) in try coder.text(&text) }
  }

  package mutating func number(_ field: inout Int64?) throws(WireError) {
    try optional(&field, 0) { (coder, number) throws(WireError) in try coder.number(&number) }
  }

  package mutating func texts(_ field: inout [String]) throws(WireError) {
    try list(&field, of: "", byteCount: 4) { (coder, text) throws(WireError) in
      try coder.text(&text)
    }
  }

  package mutating func hashes(_ field: inout [ChangeHash]) throws(WireError) {
    try list(&field, of: blankHash, byteCount: ChangeHash.byteCount) {
      (coder, hash) throws(WireError) in try coder.hash(&hash)
    }
  }

  package mutating func messages<Item: DocumentMessage>(
    _ field: inout [Item], byteCount: Int
  ) throws(WireError) {
    try list(&field, of: Item(), byteCount: byteCount) { (coder, item) throws(WireError) in
      try item.code(&coder)
    }
  }
}

/// What a hash is before it is read.
let blankHash = ChangeHash([UInt8](repeating: 0, count: ChangeHash.byteCount))!

extension DocumentMessage {
  /// The message as bytes.
  package var encoded: [UInt8] {
    var message = self
    var writer = MessageWriter()
    do throws(WireError) { try message.code(&writer) } catch {
      preconditionFailure("a message is made of what it may hold")
    }
    return writer.bytes.bytes
  }

  /// Reads bytes that hold this message and nothing more. They must not change meanwhile.
  package init(decoding bytes: [UInt8]) throws(WireError) {
    self.init()
    self = try unsafe withBytes(of: bytes) { [self] (bytes) throws(WireError) in
      var message = self
      var reader = MessageReader(bytes: unsafe RecordByteReader(bytes))
      try message.code(&reader)
      try reader.bytes.finish()
      return message
    }
  }
}

private struct MessageWriter: DocumentCoder {
  var bytes = RecordByteWriter()

  mutating func byte(_ field: inout UInt8) { bytes.number(field) }
  mutating func number(_ field: inout Int64) { bytes.number(field) }
  mutating func bytes(_ field: inout [UInt8]) { bytes.string(field) }
  mutating func text(_ field: inout String) { bytes.string(field.utf8) }
  mutating func hash(_ field: inout ChangeHash) { bytes.write(field.bytes) }

  mutating func list<Item>(
    _ field: inout [Item], of _: Item, byteCount _: Int,
    _ body: (inout Self, inout Item) throws(WireError) -> Void
  ) throws(WireError) {
    bytes.number(UInt32(field.count))
    for index in field.indices { try body(&self, &field[index]) }
  }
}

private struct MessageReader: DocumentCoder {
  var bytes: RecordByteReader

  mutating func byte(_ field: inout UInt8) throws(WireError) {
    field = try bytes.number(UInt8.self)
  }

  mutating func number(_ field: inout Int64) throws(WireError) {
    field = try bytes.number(Int64.self)
  }

  mutating func bytes(_ field: inout [UInt8]) throws(WireError) {
    let part = try unsafe bytes.string()
    field = unsafe Array(part)
  }

  mutating func text(_ field: inout String) throws(WireError) {
    let text = unsafe try bytes.string()
    guard let valid = unsafe String(validating: text, as: UTF8.self) else { throw .invalidUTF8 }
    field = valid
  }

  mutating func hash(_ field: inout ChangeHash) throws(WireError) {
    var hash: [UInt8] = []
    hash.reserveCapacity(ChangeHash.byteCount)
    for _ in 0..<ChangeHash.byteCount { hash.append(try bytes.number(UInt8.self)) }
    field = ChangeHash(hash)!
  }

  mutating func list<Item>(
    _ field: inout [Item], of blank: Item, byteCount: Int,
    _ body: (inout Self, inout Item) throws(WireError) -> Void
  ) throws(WireError) {
    let count = try bytes.count(ofItems: byteCount)
    field = []
    field.reserveCapacity(count)
    for _ in 0..<count {
      var item = blank
      try body(&self, &item)
      field.append(item)
    }
  }
}
