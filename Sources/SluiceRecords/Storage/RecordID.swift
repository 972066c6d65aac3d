// The name of a value, a session or a peer.

/// Bytes, UTF-8 where the program keeps to the rules. No name has a zero byte, but a peer's may.
public struct RecordID: Hashable, Sendable {
  public let bytes: [UInt8]

  public init(_ bytes: [UInt8]) { self.bytes = bytes }
  public init(_ text: String) { bytes = Array(text.utf8) }
}

extension RecordID: ExpressibleByStringLiteral {
  public init(stringLiteral text: String) { self.init(text) }
}

extension RecordID: CustomStringConvertible {
  public var description: String { String(decoding: bytes, as: UTF8.self) }
}
