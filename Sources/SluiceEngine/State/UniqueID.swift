// Names for what the pipeline makes: UUIDs of version 7 (RFC 9562), which sort by the time at which
// they were made, and within this process by their order.

internal import SluiceSystem
internal import Synchronization

/// Makes the names of one connection. Confined to its thread.
struct UniqueIDs {
  /// The last one's milliseconds since 1970, and behind them a count of 12 bits; of all connections.
  private static let last = Atomic<UInt64>(0)
  /// The state of a SplitMix64 generator, so that not each name costs a system call.
  private var random = UInt64.random(in: .min ... .max)

  mutating func next() -> String {
    let now = UInt64(Clock.realtimeMilliseconds()) << 12
    var previous = Self.last.load(ordering: .relaxed)
    var stamp = max(now, previous + 1)
    while true {
      let (exchanged, original) = Self.last.weakCompareExchange(
        expected: previous, desired: stamp, ordering: .relaxed)
      if exchanged { break }
      previous = original
      stamp = max(now, previous + 1)
    }
    return Self.text(stamp: stamp, random: nextRandom())
  }

  private mutating func nextRandom() -> UInt64 {
    random &+= 0x9e37_79b9_7f4a_7c15
    var mixed = random
    mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
  }

  /// 48 bits of time, the version, 12 bits of count, the variant, and 62 random bits.
  static func text(stamp: UInt64, random: UInt64) -> String {
    let high = (stamp >> 12) << 16 | 0x7000 | stamp & 0xfff
    let low = random >> 2 | 1 << 63
    return unsafe String(unsafeUninitializedCapacity: 36) { room in
      var place = 0
      for word in [high, low] {
        for nibble in 0..<16 {
          if place == 8 || place == 13 || place == 18 || place == 23 {
            unsafe room[place] = UInt8(ascii: "-")
            place += 1
          }
          let digit = UInt8(truncatingIfNeeded: word >> UInt64(60 - nibble * 4)) & 15
          unsafe room[place] = digit < 10 ? 48 + digit : 87 + digit
          place += 1
        }
      }
      return 36
    }
  }
}
