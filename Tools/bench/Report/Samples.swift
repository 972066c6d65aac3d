// Measured times and their percentiles.

/// Times of one thing in nanoseconds, of one round or of several.
struct Samples {
  private(set) var nanoseconds: [Int64] = []

  init(_ nanoseconds: [Int64] = []) { self.nanoseconds = nanoseconds }

  init(capacity: Int) { nanoseconds.reserveCapacity(capacity) }

  var isEmpty: Bool { nanoseconds.isEmpty }

  /// Of all together.
  var totalSeconds: Double { Double(nanoseconds.reduce(0, +)) / 1e9 }

  mutating func append(_ value: Int64) { nanoseconds.append(value) }

  mutating func append(_ other: Samples) { nanoseconds += other.nanoseconds }

  /// The value below which `fraction` of the samples lie (nearest rank).
  func percentile(_ fraction: Double) -> Int64 {
    precondition(!nanoseconds.isEmpty, "something was measured")
    let sorted = nanoseconds.sorted()
    return sorted[min(sorted.count - 1, Int(fraction * Double(sorted.count)))]
  }
}
