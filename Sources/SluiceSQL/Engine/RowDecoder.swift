// `Decodable` from a row: keyed by column names, one level deep. A row of one column may also be
// read as its value.

struct RowDecoder: Decoder {
  let row: SQLRow
  let codingPath: [any CodingKey] = []
  let userInfo: [CodingUserInfoKey: Any] = [:]

  func container<Key: CodingKey>(
    keyedBy type: Key.Type
  ) throws -> KeyedDecodingContainer<Key> {
    KeyedDecodingContainer(Columns<Key>(row: row))
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
    throw DecodingError.typeMismatch(
      [Any].self, .init(codingPath: [], debugDescription: "a row is no list"))
  }

  func singleValueContainer() throws -> any SingleValueDecodingContainer {
    guard row.values.count == 1 else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: [], debugDescription: "a row of \(row.values.count) columns is no value"))
    }
    return ColumnDecoder(value: row.values[0], codingPath: [])
  }
}

private struct Columns<Key: CodingKey>: KeyedDecodingContainerProtocol {
  let row: SQLRow
  let codingPath: [any CodingKey] = []

  var allKeys: [Key] { row.columns.compactMap { Key(stringValue: $0) } }

  func contains(_ key: Key) -> Bool { row.columns.contains(key.stringValue) }

  private func column(_ key: Key) throws -> ColumnDecoder {
    guard let value = row[key.stringValue] else {
      throw DecodingError.keyNotFound(
        key,
        .init(codingPath: [], debugDescription: "no column has the name \(key.stringValue)"))
    }
    return ColumnDecoder(value: value, codingPath: [key])
  }

  func decodeNil(forKey key: Key) throws -> Bool { try column(key).decodeNil() }

  func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
    try column(key).decode(type)
  }

  func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type, forKey key: Key
  ) throws -> KeyedDecodingContainer<Nested> {
    throw try column(key).mismatch(type)
  }

  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
    throw try column(key).mismatch([Any].self)
  }

  func superDecoder() throws -> any Decoder { RowDecoder(row: row) }
  func superDecoder(forKey key: Key) throws -> any Decoder { try column(key) }
}

/// Reads one value.
private struct ColumnDecoder: Decoder, SingleValueDecodingContainer {
  let value: SQLValue
  let codingPath: [any CodingKey]
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func mismatch(_ type: Any.Type) -> DecodingError {
    .typeMismatch(
      type, .init(codingPath: codingPath, debugDescription: "the column has \(value)"))
  }

  func container<Key: CodingKey>(
    keyedBy type: Key.Type
  ) throws -> KeyedDecodingContainer<Key> { throw mismatch(type) }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer { throw mismatch([Any].self) }

  func singleValueContainer() throws -> any SingleValueDecodingContainer { self }

  func decodeNil() -> Bool { value == .null }

  func decode(_ type: Bool.Type) throws -> Bool {
    switch value {
    case .integer(0): false
    case .integer(1): true
    default: throw mismatch(type)
    }
  }

  func decode(_ type: String.Type) throws -> String {
    guard case .text(let text) = value else { throw mismatch(type) }
    return text
  }

  func decode(_ type: Double.Type) throws -> Double {
    switch value {
    case .real(let number): number
    case .integer(let number): Double(number)
    default: throw mismatch(type)
    }
  }

  func decode(_ type: Float.Type) throws -> Float { Float(try decode(Double.self)) }

  private func whole<T: FixedWidthInteger>(_ type: T.Type) throws -> T {
    guard case .integer(let number) = value, let whole = T(exactly: number) else {
      throw mismatch(type)
    }
    return whole
  }

  func decode(_ type: Int.Type) throws -> Int { try whole(type) }
  func decode(_ type: Int8.Type) throws -> Int8 { try whole(type) }
  func decode(_ type: Int16.Type) throws -> Int16 { try whole(type) }
  func decode(_ type: Int32.Type) throws -> Int32 { try whole(type) }
  func decode(_ type: Int64.Type) throws -> Int64 { try whole(type) }
  func decode(_ type: UInt.Type) throws -> UInt { try whole(type) }
  func decode(_ type: UInt8.Type) throws -> UInt8 { try whole(type) }
  func decode(_ type: UInt16.Type) throws -> UInt16 { try whole(type) }
  func decode(_ type: UInt32.Type) throws -> UInt32 { try whole(type) }
  func decode(_ type: UInt64.Type) throws -> UInt64 { try whole(type) }

  func decode<T: Decodable>(_ type: T.Type) throws -> T {
    if case .blob(let bytes) = value, let bytes = bytes as? T { return bytes }
    return try T(from: self)
  }
}
