// Digests and signatures for tests.

@testable import SluiceAutomerge
@testable import SluiceEngine

enum TestNotary {
  static func make() -> SpaceNotary {
    let sha256: @Sendable ([UInt8]) -> [UInt8] = { ChangeHash(digestOf: $0, from: 0).bytes }
    return SpaceNotary(
      sha256: sha256, digest: { sha256(Array($0.json.utf8)) },
      publicKey: [UInt8](repeating: 7, count: 32), sign: { sha256([1] + $0) },
      verifies: { signature, message, _ in signature == sha256([1] + message) })
  }
}
