// What a space has of cryptography: digests, and the server's signature under its chain.

/// The digests and the signature of a server. Any thread may use it.
package struct SpaceNotary: Sendable {
  private let key: SigningKey

  package init(_ key: SigningKey) { self.key = key }

  package var publicKey: [UInt8] { key.publicKey.bytes }

  package func sha256(_ bytes: [UInt8]) -> [UInt8] { SHA256Digest(of: bytes).bytes }

  /// The digest of the value's merkle reference.
  package func digest(_ value: SpaceValue) -> [UInt8] { value.reference.digest.bytes }

  /// Nil if there is no memory for it.
  func signature(of message: [UInt8]) -> [UInt8]? { key.signature(of: message) }

  func verifies(_ signature: [UInt8], _ message: [UInt8], _ publicKey: [UInt8]) -> Bool {
    PublicKey(bytes: publicKey)?.hasSigned(message, signature: signature) ?? false
  }
}

extension SpaceValue {
  /// The merkle reference. Its depth is that of what was parsed or of the engine's own values.
  package var reference: MerkleReference {
    switch self {
    case .null: .null
    case .bool(let value): .boolean(value)
    case .integer(let value): .number(Double(value)) ?? .null
    case .number(let value): .number(value) ?? .null
    case .text(let value): .string(value)
    case .list(let values): .list(values.map(\.reference))
    case .map(let members): .map(members.map { ($0.key, $0.value.reference) })
    }
  }
}
