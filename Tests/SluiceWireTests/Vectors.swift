// The vectors in Protocol/vectors, in the form of the files.

import Foundation
import SluiceWire
import TestSupport

func loadVectors<T: Decodable>(_ name: String, as type: T.Type) throws -> T {
  let data = try Data(contentsOf: repositoryFile("Protocol/vectors/\(name).json"))
  return try JSONDecoder().decode(type, from: data)
}

struct SerializerVectors: Decodable {
  var vectors: [Vector]

  struct Vector: Decodable {
    var name: String
    /// Absent from the original's vectors, which are big-endian.
    var order: String?
    var args: [VectorArgument]
    var hex: String
  }
}

struct RejectedArgumentVectors: Decodable {
  var vectors: [Vector]

  struct Vector: Decodable {
    var name: String
    var order: String
    var hex: String
    var reading: [String]
    var error: String
  }
}

struct OperationVectors: Decodable {
  var accepted: [Accepted]
  var rejected: [Rejected]

  struct Accepted: Decodable {
    var name: String
    var operation: String
    var message: String
    var fields: [VectorArgument]
    var hex: String
    /// False if a writer would choose other bytes.
    var canonical: Bool?
  }

  struct Rejected: Decodable {
    var name: String
    var operation: String
    var message: String
    var hex: String
    var error: String
  }
}

/// An argument in JSON: 64-bit integers, -0, NaN and the infinities as text; bytes as `text` or
/// `hex`. A field of an operation has a name.
struct VectorArgument: Decodable {
  let name: String?
  let argument: Argument

  private enum Key: CodingKey { case name, type, value, text, hex }

  init(from decoder: any Decoder) throws {
    let box = try decoder.container(keyedBy: Key.self)
    name = try box.decodeIfPresent(String.self, forKey: .name)
    func integer<T: FixedWidthInteger>(_ type: T.Type) throws -> T {
      guard let value = T(try box.decode(String.self, forKey: .value)) else {
        throw BadVector(reason: "no \(type)")
      }
      return value
    }
    switch try ArgumentType(named: box.decode(String.self, forKey: .type)) {
    case .number:
      let value: Double
      if let text = try? box.decode(String.self, forKey: .value) {
        guard let special = Double(text) else { throw BadVector(reason: text) }
        value = special
      } else {
        value = try box.decode(Double.self, forKey: .value)
      }
      argument = .number(bitPattern: value.bitPattern)
    case .bigint: argument = .bigint(try integer(Int64.self))
    case .boolean: argument = .boolean(try box.decode(Bool.self, forKey: .value))
    case .string: argument = .string(Array(try box.decode(String.self, forKey: .value).utf8))
    case .null: argument = .null
    case .bytes:
      if let text = try box.decodeIfPresent(String.self, forKey: .text) {
        argument = .bytes(Array(text.utf8))
      } else {
        argument = .bytes(try bytes(fromHex: try box.decode(String.self, forKey: .hex)))
      }
    case .unsigned: argument = .unsigned(try integer(UInt64.self))
    }
  }
}

struct BadVector: Error { var reason: String }

extension CaseIterable {
  /// The case with this name.
  init(named name: String) throws {
    guard let found = Self.allCases.first(where: { "\($0)" == name }) else {
      throw BadVector(reason: "\(Self.self) has no \(name)")
    }
    self = found
  }
}

extension ByteOrder {
  init(named name: String?) throws {
    switch name {
    case "little": self = .littleEndian
    case "big", nil: self = .bigEndian
    default: throw BadVector(reason: "no such byte order")
    }
  }
}

func bytes(fromHex hex: String) throws -> [UInt8] {
  let digits = Array(hex.utf8)
  guard digits.count % 2 == 0 else { throw BadVector(reason: "half a byte") }
  return try stride(from: 0, to: digits.count, by: 2).map { index in
    guard let byte = UInt8(String(decoding: digits[index...(index + 1)], as: UTF8.self), radix: 16)
    else { throw BadVector(reason: hex) }
    return byte
  }
}

func hex(_ bytes: [UInt8]) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}
