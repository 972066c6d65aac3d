// sluice bench: measures Sluice beside its peers, in one run.

let benchCommand = Command(
  name: "bench", summary: "measure Sluice beside its peers",
  help: """
    usage: sluice bench channel [--rounds N] [--count N] [--json]

    channel   round trips through a channel to a private sidecar: a null operation, and 4 KiB reads
              and writes of a cached file, beside two bare processes that pass a word to and fro by
              spinning and by sleeping on futexes

      --rounds N   interleaved rounds (7); figures are medians of the rounds' percentiles
      --count N    round trips in a round (20000; of futexes a twentieth)
      --json       for machines
    """,
  run: { words throws(CommandError) in
    var options = Options(words)
    guard let name = options.word() else { throw .usage("which benchmark?") }
    let rounds = try options.number("--rounds", in: 1...1000, or: 7)
    let count = try options.number("--count", in: 100...10_000_000, or: 20_000)
    let isJSON = options.flag("--json")
    switch name {
    case "channel":
      try options.finish()
      let report = try ChannelBenchmark(rounds: rounds, count: count).run(showsProgress: !isJSON)
      print(isJSON ? report.json : report.table)
      return 0
    default:
      throw .usage("\(name): no such benchmark")
    }
  })

/// A benchmark's figures: rows of one unit, and ratios between some of them.
struct BenchmarkReport {
  struct Row {
    var name: String
    var p50: Int64
    var p99: Int64
    var samples: Int
  }

  struct Ratio {
    var name: String
    /// One a round.
    var values: [Double]
  }

  var title: String
  var rounds: Int
  var rows: [Row] = []
  var ratios: [Ratio] = []

  var table: String {
    let width = (rows.map(\.name.count) + ratios.map(\.name.count)).max()! + 2
    var lines = ["\(title), \(rounds) rounds", ""]
    lines.append("".padded(to: width) + "     p50 ns     p99 ns    samples")
    for row in rows {
      lines.append(
        row.name.padded(to: width) + String(row.p50).leftPadded(to: 11)
          + String(row.p99).leftPadded(to: 11) + String(row.samples).leftPadded(to: 11))
    }
    lines.append("")
    for ratio in ratios {
      lines.append(
        ratio.name.padded(to: width) + median(ratio.values).formatted.leftPadded(to: 11)
          + "   (\(ratio.values.min()!.formatted) to \(ratio.values.max()!.formatted))")
    }
    return lines.joined(separator: "\n")
  }

  var json: String {
    let rows = rows.map {
      "{\"name\":\"\($0.name)\",\"p50_ns\":\($0.p50),\"p99_ns\":\($0.p99),\"samples\":\($0.samples)}"
    }
    let ratios = ratios.map {
      "{\"name\":\"\($0.name)\",\"median\":\(median($0.values).formatted),"
        + "\"rounds\":[\($0.values.map(\.formatted).joined(separator: ","))]}"
    }
    return "{\"benchmark\":\"\(title)\",\"rounds\":\(self.rounds),"
      + "\"rows\":[\(rows.joined(separator: ","))],\"ratios\":[\(ratios.joined(separator: ","))]}"
  }
}

extension Double {
  /// Two decimals.
  fileprivate var formatted: String {
    let hundredths = Int((self * 100).rounded())
    let fraction = String(hundredths % 100)
    return "\(hundredths / 100)." + (fraction.count == 1 ? "0" : "") + fraction
  }
}

extension String {
  fileprivate func leftPadded(to width: Int) -> String {
    String(repeating: " ", count: max(0, width - count)) + self
  }
}
