// The serializer against Protocol/vectors: bytes that sqlite-wasm's own code wrote, our own types
// in both byte orders, and bytes that must be refused.

import SluiceWire
import TestSupport
import Testing

@Suite struct SerializerVectorTests {
  @Test(arguments: ["serializer", "serializer-own-types"])
  func everyVectorIsWrittenByteForByte(file: String) throws {
    let vectors = try loadVectors(file, as: SerializerVectors.self).vectors
    #expect(!vectors.isEmpty)
    for vector in vectors {
      let written = try encode(vector.args.map(\.argument), ByteOrder(named: vector.order))
      #expect(hex(written) == vector.hex, "\(vector.name)")
    }
  }

  @Test(arguments: ["serializer", "serializer-own-types"])
  func everyVectorIsReadAsItsArguments(file: String) throws {
    for vector in try loadVectors(file, as: SerializerVectors.self).vectors {
      let arguments = vector.args.map(\.argument)
      let read = try decode(
        try bytes(fromHex: vector.hex), as: arguments.map(\.type), ByteOrder(named: vector.order))
      #expect(read == arguments, "\(vector.name)")
    }
  }

  @Test(arguments: ["serializer", "serializer-own-types"])
  func noVectorCutShortIsRead(file: String) throws {
    for vector in try loadVectors(file, as: SerializerVectors.self).vectors {
      let whole = try bytes(fromHex: vector.hex)
      let types = vector.args.map(\.argument.type)
      let order = try ByteOrder(named: vector.order)
      // Every length of a short one, the first 600 lengths of a long one.
      for byteCount in 0..<min(whole.count, 600) {
        let error = wireError { () throws(WireError) in
          try decode(Array(whole[..<byteCount]), as: types, order)
        }
        #expect(error == .truncated, "\(vector.name), \(byteCount) bytes")
      }
    }
  }

  @Test func everyTypeOfOursHasAVectorInBothByteOrders() throws {
    let vectors = try loadVectors("serializer-own-types", as: SerializerVectors.self).vectors
    for type in ArgumentType.allCases {
      for order in ["little", "big"] {
        let isThere = vectors.contains { vector in
          vector.order == order && vector.args.contains { $0.argument.type == type }
        }
        #expect(isThere, "\(type), \(order)-endian")
      }
    }
  }

  @Test func everyRejectedVectorFailsAsItSays() throws {
    for vector in try loadVectors("serializer-rejected", as: RejectedArgumentVectors.self).vectors {
      let bytes = try bytes(fromHex: vector.hex)
      let types = try vector.reading.map { try ArgumentType(named: $0) }
      let order = try ByteOrder(named: vector.order)
      let error = wireError { () throws(WireError) in try decode(bytes, as: types, order) }
      #expect(error == (try WireError(named: vector.error)), "\(vector.name)")
    }
  }

  @Test func everyErrorOfAReaderHasARejectedVector() throws {
    let vectors = try loadVectors("serializer-rejected", as: RejectedArgumentVectors.self).vectors
    // A reader always has enough room.
    for error in WireError.allCases where error != .tooLong {
      #expect(vectors.contains { $0.error == "\(error)" }, "\(error)")
    }
  }
}
