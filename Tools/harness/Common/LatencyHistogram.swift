// The distribution of many times in little memory: sixteen buckets for each doubling. A percentile
// is thus right to 6 %.

struct LatencyHistogram {
  private var counts = [UInt64](repeating: 0, count: 64 * 16)
  private(set) var count: UInt64 = 0
  private(set) var nanosecondsMaximum: Int64 = 0

  @inline(__always)
  mutating func add(nanoseconds: Int64) {
    counts[LatencyHistogram.bucket(UInt64(max(0, nanoseconds)))] += 1
    count += 1
    nanosecondsMaximum = max(nanosecondsMaximum, nanoseconds)
  }

  mutating func add(_ other: LatencyHistogram) {
    for bucket in counts.indices { counts[bucket] += other.counts[bucket] }
    count += other.count
    nanosecondsMaximum = max(nanosecondsMaximum, other.nanosecondsMaximum)
  }

  /// Each number below 16 has its own bucket; for larger ones, the four bits after the highest
  /// decide.
  private static func bucket(_ value: UInt64) -> Int {
    if value < 16 { return Int(value) }
    let exponent = 63 - value.leadingZeroBitCount
    return (exponent - 3) * 16 + Int(value >> UInt64(exponent - 4) & 15)
  }

  private static func upperBound(_ bucket: Int) -> Int64 {
    if bucket < 16 { return Int64(bucket) }
    let exponent = bucket / 16 + 3
    return (Int64(16 + bucket % 16 + 1) << Int64(exponent - 4)) - 1
  }

  /// The time that `fraction` of all times did not exceed; 0 where there are none.
  func percentile(_ fraction: Double) -> Int64 {
    let wanted = UInt64((Double(count) * fraction).rounded(.up))
    var sum: UInt64 = 0
    for (bucket, count) in counts.enumerated() where count > 0 {
      sum += count
      if sum >= wanted { return min(nanosecondsMaximum, LatencyHistogram.upperBound(bucket)) }
    }
    return nanosecondsMaximum
  }
}
