// The codes of values, and which bytes a code allows.

/// The low four bits of a value's metadata. Codes above 9 are kept as they are.
enum ValueCode {
  static let null: UInt8 = 0
  static let no: UInt8 = 1
  static let yes: UInt8 = 2
  static let unsigned: UInt8 = 3
  static let signed: UInt8 = 4
  static let float: UInt8 = 5
  static let text: UInt8 = 6
  static let bytes: UInt8 = 7
  static let counter: UInt8 = 8
  static let timestamp: UInt8 = 9
}

/// Refuses bytes that are no value of this code.
func checkValue(
  code: UInt8, _ bytes: [UInt8], _ range: Range<Int>
) throws(AutomergeError) {
  var reader = ByteReader(bytes, range)
  switch code {
  case ValueCode.null, ValueCode.no, ValueCode.yes:
    guard range.isEmpty else { throw reader.error(.badValue) }
  case ValueCode.unsigned:
    _ = try reader.unsigned()
    guard reader.isAtEnd else { throw reader.error(.badValue) }
  case ValueCode.signed, ValueCode.counter, ValueCode.timestamp:
    _ = try reader.signed()
    guard reader.isAtEnd else { throw reader.error(.badValue) }
  case ValueCode.float:
    guard range.count == 8 else { throw reader.error(.badValue) }
  case ValueCode.text:
    guard isUTF8(bytes, range) else { throw reader.error(.invalidUTF8) }
  default: break
  }
}

/// A number whose bytes were checked when they were admitted.
func checkedSigned(_ bytes: [UInt8], _ range: Range<Int>) -> Int64 {
  var reader = ByteReader(bytes, range)
  return (try? reader.signed()) ?? 0
}

/// A number whose bytes were checked when they were admitted.
func checkedUnsigned(_ bytes: [UInt8], _ range: Range<Int>) -> UInt64 {
  var reader = ByteReader(bytes, range)
  return (try? reader.unsigned()) ?? 0
}
