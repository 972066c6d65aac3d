// Numbers and columns as people read them.

/// The number with a comma before every third digit.
package func grouped(_ number: UInt64) -> String {
  let digits = String(number)
  var result = ""
  for (index, digit) in digits.enumerated() {
    if index > 0, (digits.count - index).isMultiple(of: 3) { result += "," }
    result.append(digit)
  }
  return result
}

extension Double {
  /// Rounded to `decimals` decimals.
  package func fixed(_ decimals: Int) -> String {
    guard isFinite else { return "\(self)" }
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    let scaled = (magnitude * scale).rounded()
    guard scaled < 1e18 else { return "\(self)" }
    let digits = String(UInt64(scaled))
    let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
    let sign = self < 0 && scaled > 0 ? "-" : ""
    return sign + padded.dropLast(decimals) + (decimals > 0 ? "." + padded.suffix(decimals) : "")
  }

  /// With about three significant digits: 0, 0.12, 1.23, 12.3, 1,234.
  package var short: String {
    if self == 0 { return "0" }
    if magnitude < 99.95 { return fixed(magnitude < 9.995 ? 2 : 1) }
    guard magnitude < 1e18 else { return "\(self)" }
    return (self < 0 ? "-" : "") + grouped(UInt64(magnitude.rounded()))
  }
}

/// A time in the largest unit that leaves at least ten of it: 812 ns, 34.8 µs, 2,310 ms, 12.4 s.
package func durationText(nanoseconds: Double) -> String {
  if nanoseconds < 1e4 { return nanoseconds.short + " ns" }
  if nanoseconds < 1e7 { return (nanoseconds / 1e3).short + " µs" }
  if nanoseconds < 1e10 { return (nanoseconds / 1e6).short + " ms" }
  return (nanoseconds / 1e9).short + " s"
}

extension String {
  package func padded(to width: Int) -> String {
    self + String(repeating: " ", count: max(1, width - count))
  }

  package func leftPadded(to width: Int) -> String {
    String(repeating: " ", count: max(1, width - count)) + self
  }
}
