// Why bytes cannot be read as a message, or a message cannot be written.

public enum WireError: Error, Equatable, CaseIterable, Sendable {
  /// The bytes end before the arguments do.
  case truncated
  /// Bytes follow the last argument.
  case trailingBytes
  /// The number of arguments is not the message's.
  case wrongCount
  /// An argument's type is not the message's.
  case wrongType
  /// A type byte that the protocol does not know.
  case unknownType
  /// A string that is not UTF-8.
  case invalidUTF8
  /// A value that the field cannot hold.
  case outOfRange
  /// The arguments do not fit the available room, or there are more than 255.
  case tooLong
}
