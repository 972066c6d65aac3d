// An Ed25519 public key (RFC 8032), and its name as a decentralized identifier: did:key, the method of
// the W3C's Credentials Community Group. The name is `did:key:z` and base58btc of ed 01 and the key.

internal import CCrypto

package struct PublicKey: Hashable, Sendable, CustomStringConvertible {
  /// The 32 bytes.
  package let bytes: [UInt8]

  private static let didPrefix = Array("did:key:z".utf8)
  /// The multicodec of an Ed25519 public key.
  private static let multicodec: [UInt8] = [0xed, 0x01]
  /// 34 bytes that begin with `ed` have 47 or 48 digits in base 58.
  private static let digitCountMax = 48

  /// Nil unless there are 32 bytes that only the key's owner can sign for: one key has one encoding
  /// here, and points of small order are no keys.
  package init?(bytes: [UInt8]) {
    guard bytes.count == ccrypto_public_key_byte_count,
      unsafe ccrypto_is_public_key(bytes)
    else { return nil }
    self.bytes = bytes
  }

  /// The key that the name says. Nil for another method, another kind of key or another form. A key
  /// has one name, so names may be compared in place of keys.
  package init?(did: String) {
    let text = Array(did.utf8)
    guard text.starts(with: Self.didPrefix) else { return nil }
    let digits = text[Self.didPrefix.count...]
    guard digits.count <= Self.digitCountMax, let decoded = Base58.bytes(of: digits),
      decoded.starts(with: Self.multicodec)
    else { return nil }
    self.init(bytes: Array(decoded[Self.multicodec.count...]))
  }

  /// `did:key:z6Mk…`
  package var did: String {
    String(decoding: Self.didPrefix, as: UTF8.self) + Base58.text(of: Self.multicodec + bytes)
  }

  package var description: String { did }

  /// Whether the signature of this message is this key's. A signature of another length, or one whose
  /// S is not below the group's order, is not.
  package func hasSigned(_ message: [UInt8], signature: [UInt8]) -> Bool {
    guard signature.count == ccrypto_signature_byte_count else { return false }
    return unsafe ccrypto_verify(bytes, message, message.count, signature)
  }
}
