// Seeds: the content of the protocol's vectors, so that fuzzing begins with well-formed messages.

import Foundation
import SluiceWire

@testable import SluiceAutomerge

/// The bytes of Protocol/vectors.
struct SeedVectors {
  /// Argument lists, well formed and malformed.
  var arguments: [[UInt8]] = []
  /// The lists of requests, with the operation.
  var requests: [(operation: SluiceWire.Operation, arguments: [UInt8])] = []

  /// The chunks of the Automerge vectors.
  var chunks: [[UInt8]] = []

  /// The texts of the vectors for access.
  var tokens: [[UInt8]] = []

  private struct Arguments: Decodable {
    struct Vector: Decodable { var hex: String }
    var vectors: [Vector]
  }

  private struct Tokens: Decodable {
    struct Vector: Decodable { var token: String }
    var vectors: [Vector]
  }

  private struct Messages: Decodable {
    struct Vector: Decodable {
      var operation: String
      var message: String
      var hex: String
    }
    var accepted: [Vector]
    var rejected: [Vector]
  }

  init(directory: String) throws {
    func load<T: Decodable>(_ name: String, as type: T.Type) throws -> T {
      let file = URL(fileURLWithPath: directory).appendingPathComponent("\(name).json")
      return try JSONDecoder().decode(type, from: Data(contentsOf: file))
    }
    for name in ["serializer", "serializer-own-types", "serializer-rejected"] {
      arguments += try load(name, as: Arguments.self).vectors.map { bytes(ofHex: $0.hex) }
    }
    let messages = try load("operations", as: Messages.self)
    for vector in messages.accepted + messages.rejected {
      let bytes = bytes(ofHex: vector.hex)
      arguments.append(bytes)
      let operation = SluiceWire.Operation.allCases.first { "\($0)" == vector.operation }
      if let operation, vector.message == "request" { requests.append((operation, bytes)) }
    }
    tokens = try load("ucan", as: Tokens.self).vectors.map { Array($0.token.utf8) }
    chunks = try automergeChunks(directory: directory)
  }
}

/// Writes each seed to a file named by its number.
func writeSeeds(
  of target: any FuzzTarget.Type, from vectors: SeedVectors, into directory: String
) throws {
  for (number, seed) in try target.seeds(from: vectors).enumerated() {
    let file = URL(fileURLWithPath: directory).appendingPathComponent("seed-\(number)")
    try Data(seed).write(to: file)
  }
}

private func bytes(ofHex text: String) -> [UInt8] {
  let digits = text.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
  return stride(from: 0, to: digits.count - 1, by: 2).map {
    UInt8(digits[$0] << 4 | digits[$0 + 1])
  }
}

/// The bytes of all vectors that are chunks, and the changes of all others.
private func automergeChunks(directory: String) throws -> [[UInt8]] {
  struct File: Decodable {
    struct Vector: Decodable {
      var chunks: [String]

      init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: Field.self)
        // Of a fixture, `changes` is their number.
        let changes = try? fields.decodeIfPresent([String].self, forKey: .changes)
        let bytes = try fields.decodeIfPresent(String.self, forKey: .bytes)
        chunks = (changes ?? []) + (bytes.map { [$0] } ?? [])
      }

      private enum Field: CodingKey { case bytes, changes }
    }
    var vectors: [Vector]
  }
  let file = URL(fileURLWithPath: directory).appendingPathComponent("automerge/vectors.json.gz")
  let compressed = [UInt8](try Data(contentsOf: file))
  // gzip without a name has 10 bytes before the stream and 8 after it.
  let json = try inflated(compressed, 10..<compressed.count - 8, limits: Limits())
  let vectors = try JSONDecoder().decode(File.self, from: Data(json)).vectors
  return vectors.flatMap(\.chunks).map { bytes(ofHex: $0) }
}
