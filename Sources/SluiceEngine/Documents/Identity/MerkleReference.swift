// A merkle reference: the name of a value by its content. Format: github.com/Gozala/merkle-reference
// 2.2, of JSON's types; Protocol/DOCUMENTS-ACCESS.md has it in full.
//
// A value's reference is made from those of its parts. So a value is built from its leaves upwards, and
// nothing recurses. A part whose reference is known needs no reading again.

/// The SHA-256 by which a value is known.
package struct MerkleReference: Hashable, Sendable, CustomStringConvertible {
  package let digest: SHA256Digest

  /// The reference that has this digest.
  package init(digest: SHA256Digest) { self.digest = digest }

  private init(_ tag: SHA256Digest, _ operand: [UInt8]) {
    digest = SHA256Digest(of: tag, then: operand)
  }

  /// The digests of the names of the types.
  private enum Tag {
    static let null = SHA256Digest(of: Array("merkle-structure:null".utf8))
    static let boolean = SHA256Digest(of: Array("merkle-structure:boolean/byte".utf8))
    static let integer = SHA256Digest(of: Array("merkle-structure:integer/leb128".utf8))
    static let float = SHA256Digest(of: Array("merkle-structure:float/double-precision".utf8))
    static let string = SHA256Digest(of: Array("merkle-structure:string/utf-8".utf8))
    static let bytes = SHA256Digest(of: Array("merkle-structure:bytes/raw".utf8))
    static let list = SHA256Digest(of: Array("merkle-structure:list/item/ref-tree".utf8))
    static let map = SHA256Digest(of: Array("merkle-structure:map/k+v/ref-tree".utf8))
  }

  // MARK: Values

  package static let null = MerkleReference(Tag.null, [])

  package static func boolean(_ value: Bool) -> MerkleReference {
    MerkleReference(Tag.boolean, [value ? 1 : 0])
  }

  package static func integer(_ value: Int) -> MerkleReference {
    MerkleReference(
      Tag.integer, signedLEB128(magnitude: UInt64(value.magnitude), isNegative: value < 0))
  }

  /// A number as JavaScript has it: without a fraction it is an integer, and −0 is 0. Nil if it is
  /// infinite or not a number, which JSON does not have.
  package static func number(_ value: Double) -> MerkleReference? {
    guard value.isFinite else { return nil }
    guard value.rounded(.towardZero) == value else {
      return MerkleReference(Tag.float, littleEndianBytes(value.bitPattern))
    }
    if let small = Int(exactly: value) { return .integer(small) }
    // From 2^63 on a number is its 53 bits and zeros behind them.
    return MerkleReference(
      Tag.integer,
      signedLEB128(
        magnitude: value.significandBitPattern | 1 << 52, isNegative: value < 0,
        zeroCount: Int(value.exponent) - 52))
  }

  package static func string(_ value: String) -> MerkleReference { string(Array(value.utf8)) }

  /// The string of these bytes, which are UTF-8.
  static func string(_ utf8: [UInt8]) -> MerkleReference { MerkleReference(Tag.string, utf8) }

  package static func bytes(_ value: [UInt8]) -> MerkleReference {
    MerkleReference(Tag.bytes, value)
  }

  package static func list(_ items: [MerkleReference]) -> MerkleReference {
    let operand = fold(items.map(\.digest))
    return MerkleReference(digest: SHA256Digest(of: Tag.list, then: operand))
  }

  /// The members in any order. Of members with one name the last counts, as in JavaScript.
  package static func map(_ members: [(name: String, value: MerkleReference)]) -> MerkleReference {
    map(utf8: members.map { (Array($0.name.utf8), $0.value) })
  }

  /// The same, with names in UTF-8.
  static func map(utf8 members: [(name: [UInt8], value: MerkleReference)]) -> MerkleReference {
    let order = members.indices.sorted { left, right in
      let (first, second) = (members[left].name, members[right].name)
      return first == second ? left < right : first.lexicographicallyPrecedes(second)
    }
    var entries: [SHA256Digest] = []
    for (position, index) in order.enumerated() {
      let member = members[index]
      let isRepeated =
        position + 1 < order.count && members[order[position + 1]].name == member.name
      if isRepeated { continue }
      entries.append(SHA256Digest(of: string(member.name).digest, then: member.value.digest))
    }
    return MerkleReference(digest: SHA256Digest(of: Tag.map, then: fold(entries)))
  }

  /// The root of the tree over these leaves: neighbours become one, and an odd last one rises as it is.
  private static func fold(_ leaves: [SHA256Digest]) -> SHA256Digest {
    guard !leaves.isEmpty else { return SHA256Digest(of: []) }
    var level = leaves
    while level.count > 1 {
      var above: [SHA256Digest] = []
      above.reserveCapacity((level.count + 1) / 2)
      for index in stride(from: 0, to: level.count - 1, by: 2) {
        above.append(SHA256Digest(of: level[index], then: level[index + 1]))
      }
      if level.count % 2 == 1 { above.append(level[level.count - 1]) }
      level = above
    }
    return level[0]
  }

  // MARK: Texts

  /// `b` and base32 of 07 12 20 and the digest: `ba4jc…`, what JavaScript's `toString()` gives.
  package var description: String { "b" + Base32.text(of: [0x07, 0x12, 0x20] + digest.bytes) }

  /// The text of a link to the value: `baedrei…`.
  package var link: String { "b" + Base32.text(of: [0x01, 0x07, 0x12, 0x20] + digest.bytes) }

  /// As capabilities name it: `mr:` and the digest in hexadecimal digits.
  package var capabilityText: String { "mr:" + digest.hex }
}

// MARK: Numbers

private func littleEndianBytes(_ bits: UInt64) -> [UInt8] {
  unsafe withUnsafeBytes(of: bits.littleEndian) { unsafe Array($0) }
}

/// Two's complement in groups of 7 bits, the lowest first. The magnitude has `zeroCount` more bits, all
/// zero, below its own.
private func signedLEB128(magnitude: UInt64, isNegative: Bool, zeroCount: Int = 0) -> [UInt8] {
  /// The 7 bits of the magnitude from `place` on.
  func bits(from place: Int) -> UInt64 {
    let shift = place - zeroCount
    if shift <= -7 || shift >= 64 { return 0 }
    return (shift >= 0 ? magnitude >> UInt64(shift) : magnitude << UInt64(-shift)) & 0x7f
  }
  let bitCount = zeroCount + 64 - magnitude.leadingZeroBitCount
  var bytes: [UInt8] = []
  // Negation inverts all bits and adds one.
  var carry: UInt64 = 1
  // One bit more than the magnitude has is for the sign.
  for place in stride(from: 0, through: bitCount, by: 7) {
    var group = bits(from: place)
    if isNegative {
      group = (~group & 0x7f) + carry
      carry = group >> 7
      group &= 0x7f
    }
    bytes.append(UInt8(group) | 0x80)
  }
  // The last group is one too many if it only repeats the sign of the one before: -64 and its like.
  while bytes.count > 1, bytes[bytes.count - 1] == (isNegative ? 0xff : 0x80),
    bytes[bytes.count - 2] & 0x40 == (isNegative ? 0x40 : 0)
  {
    bytes.removeLast()
  }
  bytes[bytes.count - 1] &= 0x7f
  return bytes
}
