// Merkle references against Protocol/vectors/merkle-reference.json, whose values the original's library
// computed, and JSON texts at the edge.

import Foundation
import SluiceJSON
import Testing
import TestSupport

@testable import SluiceEngine

@Suite struct MerkleReferenceTests {
  struct Vectors: Decodable {
    struct Vector: Decodable {
      var id: String
      var json: String?
      var bytes: String?
      var digest: String
      var string: String
      var link: String
    }
    var vectors: [Vector]
  }

  @Test func referencesAreThoseOfTheVectors() throws {
    let data = try Data(contentsOf: repositoryFile("Protocol/vectors/merkle-reference.json"))
    let vectors = try JSONDecoder().decode(Vectors.self, from: data).vectors
    #expect(vectors.count == 35)
    for vector in vectors {
      let reference =
        vector.json.map { self.reference(ofJSON: $0) }
        ?? MerkleReference.bytes(bytes(ofHex: vector.bytes ?? ""))
      #expect(reference?.digest.hex == vector.digest, "\(vector.id)")
      #expect(reference?.description == vector.string, "\(vector.id)")
      #expect(reference?.link == vector.link, "\(vector.id)")
    }
  }

  /// DOCUMENTS.md of the original names this one for a branch without heads.
  @Test func aValueBuiltFromPartsIsThatOfItsText() {
    let noHeads = MerkleReference.map([("heads", .list([]))])
    #expect(
      noHeads.digest.hex == "27ebb33d2dfb4aeaa35d3e5b9337f4bd5feed3d2a469cf852634b32612bf253d")
    #expect(noHeads == reference(ofJSON: #"{"heads":[]}"#))
    let built = MerkleReference.map([
      ("b", .list([.integer(-1), .number(0.5)!, .null])), ("a", .boolean(true)),
      ("c", .string("é\n")),
    ])
    #expect(built == reference(ofJSON: #" { "c":"\u00e9\n", "b":[-1,5e-1,null ], "a" :true } "#))
  }

  @Test(arguments: [
    ("1", "1.0"), ("1", "10e-1"), ("0", "-0"), ("0", "-0.0"), ("0", "1e-400"),
    ("1e21", "1000000000000000000000"), ("-9223372036854775808", "-9223372036854775809"),
    ("9007199254740992", "9007199254740993"),
    (#"{"a":2}"#, #"{"a":1,"a":2}"#), (#"{"a":2}"#, #"{"a":1,"\u0061":2}"#),
    (#""😀""#, #""\ud83d\ude00""#), (#""/""#, #""\/""#),
  ])
  func textsOfOneValueHaveOneReference(first: String, second: String) {
    let both = [first, second].map { reference(ofJSON: $0) }
    #expect(both[0] != nil && both[0] == both[1])
  }

  /// The bytes that the integer's digest covers, computed by hand.
  @Test(
    arguments: [
      (0, [0]), (63, [0x3f]), (64, [0xc0, 0]), (-1, [0x7f]), (-64, [0x40]), (-65, [0xbf, 0x7f]),
      (-128, [0x80, 0x7f]), (8191, [0xff, 0x3f]), (8192, [0x80, 0xc0, 0]), (-8192, [0x80, 0x40]),
      (Int.max, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0]),
      (Int.min, [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f]),
    ] as [(Int, [UInt8])])
  func integersAreSignedLEB128(value: Int, encoding: [UInt8]) {
    let tag = SHA256Digest(of: Array("merkle-structure:integer/leb128".utf8))
    #expect(MerkleReference.integer(value).digest == SHA256Digest(of: tag.bytes + encoding))
  }

  /// 2^64 has its bit at place 64: nine groups of zeros, and 2 in the tenth.
  @Test func largeIntegersAreSignedLEB128() {
    let tag = SHA256Digest(of: Array("merkle-structure:integer/leb128".utf8)).bytes
    let zeros = [UInt8](repeating: 0x80, count: 9)
    #expect(
      MerkleReference.number(18_446_744_073_709_551_616)?.digest
        == SHA256Digest(of: tag + zeros + [0x02]))
    #expect(
      MerkleReference.number(-18_446_744_073_709_551_616)?.digest
        == SHA256Digest(of: tag + zeros + [0x7e]))
    #expect(
      MerkleReference.number(-9_223_372_036_854_775_808) == .integer(.min))
  }

  @Test(arguments: [
    "", " ", "{", "[1", "[1,]", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, "nul", "01", "1 2", "'a'",
    #""\ud800""#, #""\x""#, "1e400", "-1e400", "NaN", "\u{feff}1", #"{"a":1]"#, "[1}",
  ])
  func whatIsNoValueHasNoReference(text: String) { #expect(reference(ofJSON: text) == nil) }

  @Test func bytesThatAreNoUTF8HaveNoReference() {
    #expect(MerkleReference(ofJSON: [0x22, 0xff, 0x22]) == nil)
    #expect(MerkleReference(ofJSON: [0x22, 0xed, 0xa0, 0x80, 0x22]) == nil)
  }

  @Test func depthIsBounded() {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    #expect(reference(ofJSON: nested(JSONText.depthMaximum)) != nil)
    #expect(reference(ofJSON: nested(JSONText.depthMaximum + 1)) == nil)
    func objects(_ depth: Int) -> String {
      String(repeating: "{\"a\":", count: depth - 1) + "{}"
        + String(repeating: "}", count: depth - 1)
    }
    #expect(reference(ofJSON: objects(JSONText.depthMaximum)) != nil)
    #expect(reference(ofJSON: objects(JSONText.depthMaximum + 1)) == nil)
    #expect(reference(ofJSON: String(repeating: "{\"a\":", count: 1_000_000)) == nil)
  }

  /// If the end of each copied all parts before it, this would take minutes.
  @Test(.timeLimit(.minutes(1))) func manyContainersCostTheirOwnParts() {
    let count = 200_000
    let text = "[" + Array(repeating: "[0]", count: count).joined(separator: ",") + "]"
    let part = MerkleReference.list([.integer(0)])
    #expect(reference(ofJSON: text) == .list(Array(repeating: part, count: count)))
  }

  private func reference(ofJSON text: String) -> MerkleReference? {
    MerkleReference(ofJSON: Array(text.utf8))
  }
}
