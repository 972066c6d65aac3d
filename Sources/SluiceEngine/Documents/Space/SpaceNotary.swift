// What a space needs of cryptography: digests and the server's signature.

/// The digests and the signature of a server. Its functions are called by any thread.
package struct SpaceNotary: Sendable {
  package var sha256: @Sendable ([UInt8]) -> [UInt8]
  /// The merkle reference's digest of a value.
  package var digest: @Sendable (SpaceValue) -> [UInt8]
  /// The server's Ed25519 key.
  package var publicKey: [UInt8]
  package var sign: @Sendable ([UInt8]) -> [UInt8]
  package var verifies:
    @Sendable (_ signature: [UInt8], _ message: [UInt8], _ publicKey: [UInt8]) -> Bool

  package init(
    sha256: @escaping @Sendable ([UInt8]) -> [UInt8],
    digest: @escaping @Sendable (SpaceValue) -> [UInt8], publicKey: [UInt8],
    sign: @escaping @Sendable ([UInt8]) -> [UInt8],
    verifies: @escaping @Sendable ([UInt8], [UInt8], [UInt8]) -> Bool
  ) {
    self.sha256 = sha256
    self.digest = digest
    self.publicKey = publicKey
    self.sign = sign
    self.verifies = verifies
  }
}
