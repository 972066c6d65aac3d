// A report as JSON.

internal import SluiceCommand
internal import ToolSupport

extension BenchmarkReport {
  var json: JSON {
    .object([
      ("benchmark", .text(benchmark)), ("title", .text(title)), ("rounds", .integer(Int64(rounds))),
      ("subjects", .array(subjects.map(\.json))), ("notes", .array(notes.map { .text($0) })),
    ])
  }
}

extension BenchmarkReport.Subject {
  fileprivate var json: JSON {
    .object([
      ("subject", .text(name)), ("unit", .text(unit.rawValue)), ("better", .text(better.rawValue)),
      ("base", base.map { .text($0) } ?? .null), ("rows", .array(series.map(row))),
    ])
  }

  private func row(_ series: BenchmarkReport.Series) -> JSON {
    var members: [(String, JSON)] = [
      ("name", .text(series.name)), ("median", .number(series.rounds.middle)),
      ("rounds", .array(series.rounds.map { .number($0) })),
    ]
    if !series.times.isEmpty {
      members.append(("p50_ns", .integer(series.times.percentile(0.5))))
      members.append(("p99_ns", .integer(series.times.percentile(0.99))))
      members.append(("samples", .integer(Int64(series.times.nanoseconds.count))))
    }
    if let ratio = ratio(of: series) {
      members.append(("ratio", ratio.json))
    }
    return .object(members)
  }
}

extension Ratio {
  fileprivate var json: JSON {
    .object([
      ("median", .number(median)), ("min", .number(minimum)), ("max", .number(maximum)),
      ("rounds", .array(rounds.map { .number($0) })),
    ])
  }
}
