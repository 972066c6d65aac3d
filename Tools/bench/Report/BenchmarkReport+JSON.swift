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
      ("base", base.map { .text($0) } ?? .null),
      ("highlight", highlight.json), ("rows", .array(series.map(row))),
    ])
  }

  private func row(_ series: BenchmarkReport.Series) -> JSON {
    var members: [(String, JSON)] = [
      ("name", .text(series.name)), ("median", .number(series.rounds.middle)),
      ("rounds", .array(series.rounds.map { .number($0) })),
    ]
    if let times = series.times {
      members.append(("p50_ns", .integer(times.p50Nanoseconds)))
      members.append(("p99_ns", .integer(times.p99Nanoseconds)))
      members.append(("samples", .integer(Int64(times.count))))
    }
    if let ratio = ratio(of: series) {
      members.append(("ratio", ratio.json))
    }
    return .object(members)
  }
}

extension BenchmarkReport.Highlight {
  /// "all", or the name of the one series.
  fileprivate var json: JSON {
    switch self {
    case .none: .null
    case .all: .text("all")
    case .only(let name): .text(name)
    }
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
