// Chance that can be repeated: SplitMix64 from a seed that every test prints. SLUICE_TEST_SEED
// sets it.

import Foundation

public struct SeededRandom: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// A generator for the test of that name, which is printed with the seed.
  public init(for test: String) {
    let wanted = ProcessInfo.processInfo.environment["SLUICE_TEST_SEED"].flatMap { UInt64($0) }
    state = wanted ?? UInt64.random(in: 0...UInt64(UInt32.max))
    print("\(test): SLUICE_TEST_SEED=\(state)")
  }

  public init(seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
