// The key of the server in tests.

@testable import SluiceEngine

enum TestNotary {
  static func make(seed: UInt8 = 7) -> SpaceNotary {
    SpaceNotary(SigningKey(seed: [UInt8](repeating: seed, count: SigningKey.seedByteCount))!)
  }
}
