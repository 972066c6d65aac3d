// The parameters of a client that do not fit into a request, as they arrive in pieces.
//
// Each piece follows the one before. The value stays until an execution has used it, or its first
// piece comes again.

struct Pieces {
  private var values: [UInt64: (bytes: [UInt8], wanted: Int)] = [:]
  /// The bytes of all values, as announced.
  private var announced = 0

  enum Refusal: Error {
    /// It is larger than a value may be, or all are together.
    case tooLarge
    /// It does not follow the piece before.
    case outOfOrder
  }

  /// `maximum` is how many bytes a value may have.
  mutating func add(
    _ piece: UnsafeRawBufferPointer, to parameter: UInt64, at offset: Int64, of byteCount: Int64,
    maximum: Int
  ) throws(Refusal) {
    if offset == 0 {
      remove(parameter)
      guard byteCount <= maximum, announced + Int(byteCount) <= 2 * maximum else {
        throw .tooLarge
      }
      values[parameter] = ([], Int(byteCount))
      announced += Int(byteCount)
    }
    // Without a copy of the value: it would be copied again with each piece.
    guard let wanted = values[parameter]?.wanted, let count = values[parameter]?.bytes.count,
      wanted == byteCount, count == Int(offset), piece.count <= wanted - count
    else { throw .outOfOrder }
    unsafe values[parameter]!.bytes.append(contentsOf: piece)
  }

  /// The value, if all of it has come.
  subscript(_ parameter: UInt64) -> [UInt8]? {
    guard let value = values[parameter], value.bytes.count == value.wanted else { return nil }
    return value.bytes
  }

  mutating func remove(_ parameter: UInt64) {
    if let former = values.removeValue(forKey: parameter) { announced -= former.wanted }
  }

  var isEmpty: Bool { values.isEmpty }

  mutating func removeAll() { self = Pieces() }
}
