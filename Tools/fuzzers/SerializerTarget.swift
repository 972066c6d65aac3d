// Any bytes as every message there is, and as a bare list of arguments, in both byte orders.

import SluiceWire

struct SerializerTarget: FuzzTarget {
  static let name = "serializer"

  static func seeds(from vectors: SeedVectors) -> [[UInt8]] { vectors.arguments }

  func run(_ input: [UInt8]) {
    for order in [ByteOrder.littleEndian, .bigEndian] {
      for form in MessageForm.all { _ = form.check(input, order) }
      checkList(input, order)
    }
  }

  private enum Value {
    case number(UInt64)
    case bigint(Int64)
    case boolean(Bool)
    case string([UInt8])
    case null
    case bytes([UInt8])
    case unsigned(UInt64)
  }

  /// A list that can be read is written as the same bytes, but for booleans that are not 0 or 1,
  /// which are written as what they mean.
  private func checkList(_ input: [UInt8], _ order: ByteOrder) {
    guard let values = read(input, order) else { return }
    let written = write(values, input.count, order)
    let hasBooleans = values.contains { if case .boolean = $0 { true } else { false } }
    guard let again = read(written, order) else { broken("a written list cannot be read") }
    require(write(again, written.count, order) == written, "a list is written in two ways")
    require(hasBooleans || written == input, "a list is written as other bytes: \(values)")
  }

  private func read(_ bytes: [UInt8], _ order: ByteOrder) -> [Value]? {
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    defer { unsafe room.deallocate() }
    unsafe room.copyBytes(from: bytes)
    do throws(WireError) {
      var reader = try unsafe ArgumentReader(UnsafeRawBufferPointer(room), order: order)
      var values: [Value] = []
      for _ in 0..<reader.count {
        switch try reader.nextType() {
        case .number: values.append(.number(try reader.number().bitPattern))
        case .bigint: values.append(.bigint(try reader.bigint()))
        case .boolean: values.append(.boolean(try reader.boolean()))
        case .string:
          let text = try reader.string()
          require(
            String(validating: text, as: UTF8.self) != nil, "a string that is not UTF-8: \(text)")
          values.append(.string(text))
        case .null:
          try reader.null()
          values.append(.null)
        case .bytes: values.append(.bytes(try reader.bytes()))
        case .unsigned: values.append(.unsigned(try reader.unsigned()))
        }
      }
      try reader.finish()
      return values
    } catch {
      return nil
    }
  }

  private func write(_ values: [Value], _ byteCount: Int, _ order: ByteOrder) -> [UInt8] {
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 1)
    defer { unsafe room.deallocate() }
    do throws(WireError) {
      var writer = try unsafe ArgumentWriter(room, count: values.count, order: order)
      for value in values {
        switch value {
        case .number(let bits): try writer.number(Double(bitPattern: bits))
        case .bigint(let value): try writer.bigint(value)
        case .boolean(let value): try writer.boolean(value)
        case .string(let text): try writer.string(text)
        case .null: try writer.null()
        case .bytes(let bytes): try writer.bytes(bytes)
        case .unsigned(let value): try writer.unsigned(value)
        }
      }
      return unsafe Array(room[..<writer.byteCount])
    } catch {
      broken("a list that was read cannot be written: \(error), \(values)")
    }
  }
}
