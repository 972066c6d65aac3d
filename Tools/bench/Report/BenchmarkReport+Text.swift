// A report for people: as a table for the terminal, and as Markdown for the README.

internal import SluiceCommand
internal import ToolSupport

extension BenchmarkReport {
  /// The cells of one series.
  private struct Row {
    var name: String
    var figure: String
    var p99: String
    var count: String
    var ratio: String
    var spread: String

    init(_ subject: Subject, _ series: Series) {
      name = series.name
      figure = subject.unit.text(series.rounds.middle)
      let times = series.times
      p99 = times.map { durationText(nanoseconds: Double($0.p99Nanoseconds)) } ?? ""
      count = times.map { grouped(UInt64($0.count)) } ?? ""
      let found = subject.ratio(of: series)
      ratio = found?.median.short ?? (series.name == subject.base ? "1" : "")
      spread = found.map { "\($0.minimum.short) to \($0.maximum.short)" } ?? ""
    }

    var cells: [String] { [figure, p99, count, ratio, spread] }
  }

  private static let heads = ["median", "p99", "samples", "ratio", "in the rounds"]

  var table: String {
    let nameWidth = subjects.flatMap(\.series).reduce(0) { max($0, $1.name.count) } + 4
    var lines = ["\(benchmark): \(title), \(rounds) rounds", ""]
    lines.append("".padded(to: nameWidth) + columns(BenchmarkReport.heads))
    for subject in subjects {
      lines.append(subject.name)
      for series in subject.series {
        let row = Row(subject, series)
        let line = "  " + row.name.padded(to: nameWidth - 2) + columns(row.cells)
        lines.append(line.trimmingEnd)
      }
    }
    lines += notes.isEmpty ? [] : [""]
    lines += notes.map { "note: " + $0 }
    return lines.joined(separator: "\n")
  }

  var markdown: String {
    var lines = [
      "\(title), \(rounds) rounds:", "",
      "| | | " + BenchmarkReport.heads.joined(separator: " | ") + " |",
      "| --- | --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for subject in subjects {
      for (index, series) in subject.series.enumerated() {
        let row = Row(subject, series)
        let cells = [index == 0 ? subject.name : "", row.name] + row.cells
        lines.append("| " + cells.joined(separator: " | ") + " |")
      }
    }
    lines += notes.flatMap { ["", $0] }
    return lines.joined(separator: "\n")
  }

  private func columns(_ cells: [String]) -> String {
    let widths = [14, 12, 12, 9, 18]
    return zip(cells, widths).map { $0.leftPadded(to: $1) }.joined()
  }
}

extension BenchmarkReport.Unit {
  func text(_ value: Double) -> String {
    switch self {
    case .nanoseconds: durationText(nanoseconds: value)
    case .perSecond: value.short + " /s"
    case .nanosecondsPerSecond: durationText(nanoseconds: value) + " /s"
    case .kibibytes: value.short + " KiB"
    case .count: value.short
    case .times: value.short
    }
  }
}

extension String {
  fileprivate var trimmingEnd: String {
    String(self[..<(lastIndex { $0 != " " }.map { index(after: $0) } ?? startIndex)])
  }
}
