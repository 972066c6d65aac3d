// The serializer beyond its vectors: random lists written and read back, the limits, and each error
// of a writer.

import SluiceWire
import TestSupport
import Testing

@Suite struct SerializerTests {
  @Test func randomArgumentsSurviveTheRoundTrip() throws {
    var random = SeededRandom(for: "randomArgumentsSurviveTheRoundTrip")
    for _ in 0..<2_000 {
      let count = Int.random(in: 0...12, using: &random)
      let arguments = (0..<count).map { _ in randomArgument(&random) }
      for order in bothOrders {
        let written = try encode(arguments, order)
        #expect(try decode(written, as: arguments.map(\.type), order) == arguments)
      }
    }
  }

  @Test func theTwoByteOrdersDifferInTheirValuesOnly() throws {
    let arguments: [Argument] = [.unsigned(1), .bytes([7])]
    #expect(try hex(encode(arguments, .littleEndian)) == "02121101000000000000000100000007")
    #expect(try hex(encode(arguments, .bigEndian)) == "02121100000000000000010000000107")
  }

  @Test(arguments: bothOrders)
  func twoHundredAndFiftyFiveArgumentsAreTheMost(order: ByteOrder) throws {
    let most = (0..<255).map { Argument.unsigned($0) }
    #expect(try decode(encode(most, order), as: most.map(\.type), order) == most)
    let tooMany = most + [.null]
    #expect(wireError { () throws(WireError) in try encode(tooMany, order) } == .tooLong)
  }

  @Test func everyRoomTooSmallIsRefused() throws {
    let arguments: [Argument] = [
      .number(bitPattern: 1), .bigint(-1), .boolean(true), .string(Array("text".utf8)), .null,
      .bytes([1, 2, 3]), .unsigned(9),
    ]
    let whole = try encode(arguments, .littleEndian)
    #expect(try encode(arguments, .littleEndian, room: whole.count) == whole)
    for room in 0..<whole.count {
      let error = wireError { () throws(WireError) in
        try encode(arguments, .littleEndian, room: room)
      }
      #expect(error == .tooLong, "\(room) of \(whole.count) bytes")
    }
  }

  @Test func aStringThatIsNotUTF8IsNotWritten() {
    let bad: [[UInt8]] = [[0xFF], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80]]
    for utf8 in bad {
      let error = wireError { () throws(WireError) in try encode([.string(utf8)], .littleEndian) }
      #expect(error == .invalidUTF8)
    }
  }

  @Test func everyScalarIsUTF8AndNothingShorter() throws {
    for value in stride(from: UInt32(0), through: 0x10FFFF, by: 1) {
      // All of the first plane, then samples, among them the borders of the lead bytes.
      if value > 0x1_0000, value % 0xFF != 0, value != 0x10FFFF { continue }
      guard let scalar = Unicode.Scalar(value) else { continue }
      let utf8 = Array(String(Character(scalar)).utf8)
      #expect(try encode([.string(utf8)], .littleEndian, room: 16).count == 6 + utf8.count)
      if utf8.count > 1 {
        let short = Argument.string(utf8.dropLast())
        #expect(
          wireError { () throws(WireError) in try encode([short], .littleEndian, room: 16) }
            == .invalidUTF8)
      }
    }
  }

  @Test func randomBytesAreUTF8ExactlyWhenTheStandardLibrarySaysSo() throws {
    var random = SeededRandom(for: "randomBytesAreUTF8ExactlyWhenTheStandardLibrarySaysSo")
    // Bytes near the borders of the well-formed ranges, which uniform random bytes would rarely
    // hit.
    let borders: [UInt8] = [
      0x00, 0x2F, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1,
      0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
    ]
    var validCount = 0
    for _ in 0..<50_000 {
      let count = Int.random(in: 0...5, using: &random)
      let bytes = (0..<count).map { _ in borders.randomElement(using: &random)! }
      let isValid = String(validating: bytes, as: UTF8.self) != nil
      validCount += isValid ? 1 : 0
      let error = wireError { () throws(WireError) in
        try encode([.string(bytes)], .littleEndian, room: 16)
      }
      #expect(error == (isValid ? nil : .invalidUTF8), "\(hex(bytes))")
    }
    #expect(validCount > 1_000 && validCount < 49_000, "valid and invalid bytes were tried")
  }

  @Test func anyBooleanButZeroReadsAsTrue() throws {
    for (text, expected) in [("00000000", false), ("01000000", true), ("00000080", true)] {
      let bytes = try bytes(fromHex: "0103" + text)
      #expect(try decode(bytes, as: [.boolean], .littleEndian) == [.boolean(expected)])
    }
  }

  @Test func theNextTypeIsSeenWithoutBeingTaken() throws {
    let bytes = try encode([.null, .bytes([1])], .littleEndian)
    try unsafe withExactCopy(of: bytes) { (buffer) throws(WireError) in
      var reader = try unsafe ArgumentReader(buffer, order: .littleEndian)
      #expect(reader.count == 2)
      #expect(try reader.nextType() == .null)
      #expect(try reader.nextType() == .null)
      try reader.null()
      #expect(try reader.nextType() == .bytes)
      _ = try reader.bytes()
      #expect(throws: WireError.wrongCount) { try reader.nextType() }
      try reader.finish()
    }
  }

  private func randomArgument(_ random: inout SeededRandom) -> Argument {
    let integer = random.next() >> UInt64.random(in: 0...63, using: &random)
    let byteCount = Int.random(in: 0...40, using: &random)
    switch ArgumentType.allCases.randomElement(using: &random)! {
    case .number: return .number(bitPattern: Double(Int64(bitPattern: integer)).bitPattern)
    case .bigint: return .bigint(Int64(bitPattern: integer))
    case .boolean: return .boolean(integer % 2 == 0)
    case .string:
      let scalars = (0..<byteCount).map { _ in
        Unicode.Scalar(UInt32.random(in: 1...0x10FFFF, using: &random)) ?? "?"
      }
      return .string(scalars.flatMap { Array(String($0).utf8) })
    case .null: return .null
    case .bytes:
      return .bytes((0..<byteCount).map { _ in UInt8.random(in: 0...255, using: &random) })
    case .unsigned: return .unsigned(integer)
    }
  }
}
