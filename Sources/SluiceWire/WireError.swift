// Why bytes are not a message, or a message not bytes.

public enum WireError: Error, Equatable, CaseIterable, Sendable {
  /// The bytes end before the arguments do.
  case truncated
  /// Bytes are left over behind the last argument.
  case trailingBytes
  /// Another number of arguments than the message has.
  case wrongCount
  /// An argument of another type than the message has there.
  case wrongType
  /// A type byte that the protocol does not know.
  case unknownType
  /// A string that is not UTF-8.
  case invalidUTF8
  /// A value that the field cannot hold.
  case outOfRange
  /// The arguments do not fit the room that there is, or are more than 255.
  case tooLong
}
