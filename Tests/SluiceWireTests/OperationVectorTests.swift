// The messages of every operation against Protocol/vectors/operations.json, and against bytes that
// a hostile peer might send.

import SluiceWire
import TestSupport
import Testing

@Suite struct OperationVectorTests {
  private let vectors: OperationVectors

  init() throws { vectors = try loadVectors("operations", as: OperationVectors.self) }

  @Test func everyOperationHasAcceptedAndRejectedVectorsOfBothMessages() {
    for operation in Operation.allCases {
      for message in ["request", "reply"] {
        let isAccepted = vectors.accepted.contains {
          $0.operation == "\(operation)" && $0.message == message
        }
        let isRejected = vectors.rejected.contains {
          $0.operation == "\(operation)" && $0.message == message
        }
        #expect(isAccepted, "an accepted \(message) of \(operation)")
        #expect(isRejected, "a rejected \(message) of \(operation)")
      }
    }
  }

  @Test func everyAcceptedMessageIsReadAsItsFields() throws {
    for vector in vectors.accepted {
      let form = try Operation(named: vector.operation).form(vector.message)
      let fields = try form.decode(try bytes(fromHex: vector.hex), .littleEndian)
      #expect(fields == vector.fields.map(\.argument), "\(vector.operation): \(vector.name)")
    }
  }

  @Test func everyAcceptedMessageIsWrittenByteForByte() throws {
    for vector in vectors.accepted where vector.canonical != false {
      let form = try Operation(named: vector.operation).form(vector.message)
      let written = try form.encode(vector.fields.map(\.argument), .littleEndian)
      #expect(hex(written) == vector.hex, "\(vector.operation): \(vector.name)")
    }
  }

  @Test func everyAcceptedMessageSurvivesTheOtherByteOrder() throws {
    for vector in vectors.accepted {
      let form = try Operation(named: vector.operation).form(vector.message)
      let fields = vector.fields.map(\.argument)
      #expect(try form.decode(try form.encode(fields, .bigEndian), .bigEndian) == fields)
    }
  }

  @Test func everyRejectedMessageFailsAsItSays() throws {
    for vector in vectors.rejected {
      let form = try Operation(named: vector.operation).form(vector.message)
      let bytes = try bytes(fromHex: vector.hex)
      let error = wireError { () throws(WireError) in try form.decode(bytes, .littleEndian) }
      #expect(
        error == (try WireError(named: vector.error)),
        "\(vector.operation) \(vector.message): \(vector.name)")
    }
  }

  @Test func walIndexLocksAreThoseThatLieWithinTheEight() throws {
    for first in UInt64(0)...9 {
      for count in UInt64(0)...9 {
        let fields: [Argument] = [.unsigned(first), .unsigned(count), .unsigned(1)]
        let error = wireError { () throws(WireError) in
          try Operation.walIndexLock.request.encode(fields, .littleEndian)
        }
        let isSound = count >= 1 && first + count <= WALIndexLockRequest.lockCount
        #expect(error == (isSound ? nil : .outOfRange), "\(count) from \(first)")
      }
    }
  }

  @Test func whatMayNotBeReadIsNotWrittenEither() {
    let refused: [(Operation, [Argument])] = [
      (.read, [.bigint(-1)]),
      (.channelClose, [.unsigned(1 << 32)]),
      (.lock, [.unsigned(5)]),
      (.access, [.bytes([47]), .unsigned(3)]),
      (.open, [.null, .unsigned(9), .unsigned(0), .bigint(-1), .unsigned(0)]),
      (.open, [.null, .unsigned(1), .unsigned(128), .bigint(-1), .unsigned(0)]),
      (.open, [.null, .unsigned(1), .unsigned(0), .bigint(-2), .unsigned(0)]),
      (.open, [.null, .unsigned(1), .unsigned(0), .bigint(-1), .unsigned(0o1000)]),
      (.allocate, [.bigint(-1)]),
      (.lockAwait, [.unsigned(3), .unsigned(1)]),
      (.lockAwait, [.unsigned(0x200), .unsigned(1)]),
      (.lockAwait, [.unsigned(2), .unsigned(10_001)]),
      (.walIndexMap, [.bigint(-1), .boolean(true), .boolean(false), .boolean(true)]),
      (.walIndexMap, [.bigint(1 << 40 + 1), .boolean(true), .boolean(false), .boolean(true)]),
      (.walIndexLock, [.unsigned(8), .unsigned(1), .unsigned(1)]),
      (.walIndexLock, [.unsigned(0), .unsigned(0), .unsigned(1)]),
      (.walIndexLock, [.unsigned(1), .unsigned(.max), .unsigned(2)]),
      (.walIndexLock, [.unsigned(0), .unsigned(1), .unsigned(3)]),
    ]
    for (operation, fields) in refused {
      let error = wireError { () throws(WireError) in
        try operation.request.encode(fields, .littleEndian)
      }
      #expect(error == .outOfRange, "\(operation)")
    }
  }

  // MARK: Damaged bytes

  @Test func damagedMessagesAreRefusedOrReadConsistently() throws {
    var random = SeededRandom(for: "damagedMessagesAreRefusedOrReadConsistently")
    let finds = try findInconsistencies(&random) { (form, bytes) throws(WireError) in
      try form.decode(bytes, .littleEndian)
    }
    #expect(finds.inconsistent == [])
    #expect(finds.refused > 1_000 && finds.read > 100, "damage of both kinds was tried")
  }

  /// The canary: if this decoder were not caught, the test above would prove nothing.
  @Test func aDecoderThatOverlooksTrailingBytesIsCaught() throws {
    var random = SeededRandom(for: "aDecoderThatOverlooksTrailingBytesIsCaught")
    let finds = try findInconsistencies(&random) { (form, bytes) throws(WireError) in
      let whole = wireError { () throws(WireError) in try form.decode(bytes, .littleEndian) }
      let isLonger = whole == .trailingBytes && bytes.count > 1
      return try form.decode(isLonger ? bytes.dropLast() : bytes, .littleEndian)
    }
    #expect(finds.inconsistent != [])
  }

  /// Damages accepted messages at random. A message that can still be read must be written as
  /// exactly the same bytes.
  private func findInconsistencies(
    _ random: inout SeededRandom,
    decode: (MessageForm, [UInt8]) throws(WireError) -> [Argument]
  ) throws -> (inconsistent: [String], refused: Int, read: Int) {
    var inconsistent: [String] = []
    var (refused, read) = (0, 0)
    for _ in 0..<10_000 {
      let vector = vectors.accepted.randomElement(using: &random)!
      let form = try Operation(named: vector.operation).form(vector.message)
      let bytes = damage(try bytes(fromHex: vector.hex), &random)
      do throws(WireError) {
        let fields = try decode(form, bytes)
        read += 1
        let again = try form.encode(fields, .littleEndian)
        // Only a boolean has more than one spelling.
        let isOneSpelling = !form.types.contains("boolean")
        if again.count != bytes.count || (isOneSpelling && again != bytes) {
          inconsistent.append("\(vector.operation) \(vector.message): \(hex(bytes))")
        }
      } catch {
        refused += 1
      }
    }
    return (inconsistent, refused, read)
  }

  private func damage(_ bytes: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
    var damaged = bytes
    for _ in 0...Int.random(in: 0...2, using: &random) {
      switch Int.random(in: 0...4, using: &random) {
      case 0: damaged.append(UInt8.random(in: 0...255, using: &random))
      case 1 where !damaged.isEmpty: damaged.removeLast()
      default:
        guard !damaged.isEmpty else { continue }
        // Mostly in the head, which has the structure.
        let index = min(
          Int.random(in: 0..<damaged.count, using: &random),
          Int.random(in: 0..<damaged.count, using: &random))
        damaged[index] ^= 1 << UInt8.random(in: 0...7, using: &random)
      }
    }
    return damaged
  }
}
