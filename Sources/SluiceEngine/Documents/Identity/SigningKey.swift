// An Ed25519 key pair (RFC 8032) made from its seed.

internal import CCrypto

/// A pair of keys. It never changes, and any thread may sign with it.
@safe
package final class SigningKey: @unchecked Sendable {
  package let publicKey: PublicKey
  private let pair: OpaquePointer

  package static let seedByteCount = ccrypto_seed_byte_count

  /// Nil unless the seed has 32 bytes and there is memory.
  package init?(seed: [UInt8]) {
    guard seed.count == Self.seedByteCount else { return nil }
    var bytes = [UInt8](repeating: 0, count: ccrypto_public_key_byte_count)
    guard let pair = unsafe ccrypto_key_pair_of_seed(seed, &bytes) else { return nil }
    guard let publicKey = PublicKey(bytes: bytes) else {
      unsafe ccrypto_key_pair_free(pair)
      return nil
    }
    self.publicKey = publicKey
    unsafe self.pair = unsafe pair
  }

  deinit { unsafe ccrypto_key_pair_free(pair) }

  /// The 64 bytes of the signature, always the same for one message. Nil without memory.
  package func signature(of message: [UInt8]) -> [UInt8]? {
    var signature = [UInt8](repeating: 0, count: ccrypto_signature_byte_count)
    return unsafe ccrypto_sign(pair, message, message.count, &signature) ? signature : nil
  }
}
