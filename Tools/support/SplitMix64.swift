// Random numbers that a seed repeats: SplitMix64, cheap enough for several numbers a step.

package struct SplitMix64 {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  @inline(__always)
  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  /// From 0 to `bound` - 1. The bias is negligible for such small bounds.
  @inline(__always)
  package mutating func below(_ bound: Int) -> Int {
    Int(truncatingIfNeeded: ((next() >> 32) &* UInt64(bound)) >> 32)
  }

  /// True once in `count`.
  @inline(__always)
  package mutating func once(in count: Int) -> Bool { below(count) == 0 }
}
