// Any bytes as every message there is, and as a bare list of arguments, in both byte orders.

import SluiceWire
import TestSupport

struct SerializerTarget: FuzzTarget {
  static let name = "serializer"

  static func seeds(from vectors: SeedVectors) -> [[UInt8]] { vectors.arguments }

  func run(_ input: [UInt8]) {
    for order in [ByteOrder.littleEndian, .bigEndian] {
      for form in MessageForm.all { _ = form.check(input, order) }
      checkList(input, order)
    }
  }

  /// A list that was read is written as the same bytes. The exception are booleans that are not 0
  /// or 1, which are written as 0 or 1.
  private func checkList(_ input: [UInt8], _ order: ByteOrder) {
    guard let arguments = read(input, order) else { return }
    let written = write(arguments, input.count, order)
    let hasBooleans = arguments.contains { $0.type == .boolean }
    guard let again = read(written, order) else { broken("a written list cannot be read") }
    require(write(again, written.count, order) == written, "a list is written in two ways")
    require(hasBooleans || written == input, "a list is written as other bytes: \(arguments)")
  }

  private func read(_ bytes: [UInt8], _ order: ByteOrder) -> [Argument]? {
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    defer { unsafe room.deallocate() }
    unsafe room.copyBytes(from: bytes)
    do throws(WireError) {
      var reader = try unsafe ArgumentReader(UnsafeRawBufferPointer(room), order: order)
      var arguments: [Argument] = []
      for _ in 0..<reader.count {
        let argument = try Argument(try reader.nextType(), from: &reader)
        if case .string(let text) = argument {
          require(
            String(validating: text, as: UTF8.self) != nil, "a string that is not UTF-8: \(text)")
        }
        arguments.append(argument)
      }
      try reader.finish()
      return arguments
    } catch {
      return nil
    }
  }

  private func write(_ arguments: [Argument], _ byteCount: Int, _ order: ByteOrder) -> [UInt8] {
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 1)
    defer { unsafe room.deallocate() }
    do throws(WireError) {
      var writer = try unsafe ArgumentWriter(room, count: arguments.count, order: order)
      for argument in arguments { try argument.write(to: &writer) }
      return unsafe Array(room[..<writer.byteCount])
    } catch {
      broken("a list that was read cannot be written: \(error), \(arguments)")
    }
  }
}
