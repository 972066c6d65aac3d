// What the engine finds in transactions and headers with its cursor, beside what a scanner of whole JSON
// texts finds: two opinions of one text.

import SluiceJSON

@testable import SluiceEngine

struct TransactionTarget: FuzzTarget {
  static let name = "transaction"

  static func seeds(from vectors: SeedVectors) -> [[UInt8]] {
    [
      #"{"privacy":"private","madeAt":1,"encryptedChanges":"é😀\ud800\n\"","meta":"x"}"#,
      #"{"changes":"[{\"op\":\"set\",\"key\":\"co_z1\"}]","privacy":"trusting"}"#,
      #"{"type":"comap","ruleset":{"type":"group","group":"a"},"meta":{"source":"b"}}"#,
      #" { "a" : [ 1 , -2.5e+3 , true , false , null , { } , [ ] ] , "\u0063hanges" : "" } "#,
      "{\"a\":{\"b\":[[[]]]},\"changes\":\"\u{7f}\u{2028}\"}",
    ].map { Array($0.utf8) }
  }

  func run(_ input: [UInt8]) {
    // Both bound the depth, and not at the same place.
    let depth = input.reduce(0) {
      $0 + ($1 == UInt8(ascii: "[") || $1 == UInt8(ascii: "{") ? 1 : 0)
    }
    guard depth < JSONText.depthMaximum / 2 else { return look(at: input) }
    var members: [JSONText.Member]?
    if case .object(let found) = JSONText.root(of: input) { members = found }
    let size = unsafe input.withUnsafeBytes { unsafe TransactionText.size(of: $0) }
    let wanted = members.flatMap(Self.size)
    if members.map(Self.isPlain) ?? true {
      require(size == wanted, "a size of \(size.map(String.init) ?? "none"), not \(wanted as Any)")
    }
    require(
      (RecordHeader(input) != nil) == (members != nil), "a header that is one for one alone")
    look(at: input)
  }

  /// In memory of its own, so that the sanitizer sees what lies beyond.
  private func look(at input: [UInt8]) {
    let text = UnsafeMutableRawBufferPointer.allocate(byteCount: input.count, alignment: 1)
    defer { unsafe text.deallocate() }
    unsafe text.copyBytes(from: input)
    _ = unsafe TransactionText.size(of: UnsafeRawBufferPointer(text))
    unsafe TransactionText.keysSet(in: UnsafeRawBufferPointer(text)) { key in
      require(String(validating: key, as: UTF8.self) != nil, "a key that is not UTF-8")
    }
  }

  /// No name stands twice that counts: of those, the last decides, in ways that do not matter here.
  private static func isPlain(_ members: [JSONText.Member]) -> Bool {
    ["privacy", "changes", "encryptedChanges"].allSatisfy { name in
      members.count { $0.name == JSONText.quoted(name.utf8) } < 2
    }
  }

  private static func size(_ members: [JSONText.Member]) -> Int? {
    func value(_ name: String) -> [UInt8]? {
      members.first { $0.name == JSONText.quoted(name.utf8) }?.value
    }
    let isPrivate = value("privacy") == JSONText.quoted("private".utf8)
    return value(isPrivate ? "encryptedChanges" : "changes").flatMap(utf16Count)
  }

  /// The length of a string in its one form; nil if it is no string.
  private static func utf16Count(_ form: [UInt8]) -> Int? {
    guard form.first == UInt8(ascii: "\"") else { return nil }
    var count = 0
    var rest = form.dropFirst().dropLast()
    while let byte = rest.first {
      if byte == UInt8(ascii: "\\") {
        rest = rest.dropFirst(rest.dropFirst().first == UInt8(ascii: "u") ? 6 : 2)
        count += 1
      } else {
        // A byte that goes on with a character is no unit; a character of four bytes is two.
        rest = rest.dropFirst()
        count += byte & 0xc0 == 0x80 ? 0 : byte >= 0xf0 ? 2 : 1
      }
    }
    return count
  }
}
