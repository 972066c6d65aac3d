// What a run-length column may hold: unsigned numbers, signed numbers, texts.

/// An item of a run-length column. A text is a range of a source that reader and writer know.
protocol RunItem {
  static var zero: Self { get }
  static func read(_ reader: inout ByteReader) throws(AutomergeError) -> Self
  func isSame(as other: Self, in source: [UInt8]) -> Bool
  func write(into bytes: inout [UInt8], from source: [UInt8])
}

extension UInt64: RunItem {
  static func read(_ reader: inout ByteReader) throws(AutomergeError) -> UInt64 {
    try reader.unsigned()
  }

  func isSame(as other: UInt64, in source: [UInt8]) -> Bool { self == other }

  func write(into bytes: inout [UInt8], from source: [UInt8]) { bytes.append(unsigned: self) }
}

extension Int64: RunItem {
  static func read(_ reader: inout ByteReader) throws(AutomergeError) -> Int64 {
    try reader.signed()
  }

  func isSame(as other: Int64, in source: [UInt8]) -> Bool { self == other }

  func write(into bytes: inout [UInt8], from source: [UInt8]) { bytes.append(signed: self) }
}

extension ByteRange: RunItem {
  static var zero: ByteRange { .none }

  static func read(_ reader: inout ByteReader) throws(AutomergeError) -> ByteRange {
    try reader.text()
  }

  func isSame(as other: ByteRange, in source: [UInt8]) -> Bool {
    if self == other { return true }
    return count == other.count && source[range].elementsEqual(source[other.range])
  }

  func write(into bytes: inout [UInt8], from source: [UInt8]) {
    bytes.append(lengthPrefixed: source[range])
  }
}
