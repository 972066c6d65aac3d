// The results of a measured process, as it prints them on its standard output: lines of `value TAB
// NAME TAB NUMBER` and `samples TAB NAME TAB NUMBER …`.

internal import ToolSupport

struct PeerReport {
  private(set) var values: [String: Double] = [:]
  private(set) var samples: [String: Samples] = [:]

  init() {}

  mutating func add(_ name: String, _ value: Double) { values[name] = value }

  mutating func add(_ name: String, _ times: Samples) { samples[name] = times }

  var text: String {
    var lines = values.map { "value\t\($0.key)\t\($0.value)" }
    for (name, samples) in samples {
      lines.append(
        "samples\t\(name)\t" + samples.nanoseconds.lazy.map { String($0) }.joined(separator: " "))
    }
    return lines.joined(separator: "\n")
  }

  init(parsing bytes: [UInt8]) throws(ToolError) {
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      let parts = line.split(separator: UInt8(ascii: "\t"), maxSplits: 2)
      guard parts.count == 3 else { continue }
      let name = String(decoding: parts[1], as: UTF8.self)
      switch String(decoding: parts[0], as: UTF8.self) {
      case "value": values[name] = Double(String(decoding: parts[2], as: UTF8.self))
      case "samples": samples[name] = Samples(numbers(parts[2]))
      default: continue
      }
    }
  }

  /// The value or the samples of that name, which must be there.
  func value(_ name: String) throws(ToolError) -> Double {
    guard let value = values[name] else { throw missing(name) }
    return value
  }

  func samples(_ name: String) throws(ToolError) -> Samples {
    guard let samples = samples[name], !samples.isEmpty else { throw missing(name) }
    return samples
  }

  private func missing(_ name: String) -> ToolError {
    .failed("a measured process did not report its \(name)")
  }
}

/// Decimal numbers with single spaces between them.
private func numbers(_ text: ArraySlice<UInt8>) -> [Int64] {
  var numbers: [Int64] = []
  var number: Int64 = 0
  for byte in text {
    if byte == UInt8(ascii: " ") {
      numbers.append(number)
      number = 0
    } else {
      number = number &* 10 &+ Int64(byte &- UInt8(ascii: "0"))
    }
  }
  return text.isEmpty ? [] : numbers + [number]
}
