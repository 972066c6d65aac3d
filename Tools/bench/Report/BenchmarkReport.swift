// The results of a benchmark: for each subject one series of figures for each variant, one figure
// for each round. The ratio of a figure is to the base's figure of the same round, because only
// these two were measured side by side.

internal import ToolSupport

struct BenchmarkReport {
  enum Unit: String {
    case nanoseconds = "ns"
    case perSecond = "1/s"
    case nanosecondsPerSecond = "ns/s"
    case kibibytes = "KiB"
    case count
    case times
  }

  enum Better: String { case less, more }

  /// The part of a subject that the chart of all benchmarks shows.
  enum Highlight {
    case none, all
    case only(String)
  }

  struct Series {
    var name: String
    /// The figure of each round.
    var rounds: [Double] = []
    /// The times of single operations in all rounds, where they were taken.
    var times = Samples()
  }

  struct Subject {
    var name: String
    var unit: Unit
    var better: Better
    /// The name of the series that the others are compared with; nil where there is none.
    var base: String?
    var highlight = Highlight.none
    var series: [Series] = []
  }

  let benchmark: String
  let title: String
  let rounds: Int
  private(set) var subjects: [Subject] = []
  /// What the reader must know about the figures.
  var notes: [String] = []
  /// The order in which variants are shown, whatever the order of measuring.
  private let order: [String]

  init(_ benchmark: String, _ title: String, rounds: Int, order: [String]) {
    self.benchmark = benchmark
    self.title = title
    self.rounds = rounds
    self.order = order
  }

  mutating func declare(
    _ subject: String, _ unit: Unit, _ better: Better, base: String? = nil,
    highlight: Highlight = .none
  ) {
    subjects.append(
      Subject(name: subject, unit: unit, better: better, base: base, highlight: highlight))
  }

  /// Adds the figure of one more round, and the times behind it, if any.
  mutating func add(
    _ figure: Double, _ times: Samples = Samples(), of name: String, to subject: String
  ) {
    let at = subjects.firstIndex { $0.name == subject }!
    guard let index = subjects[at].series.firstIndex(where: { $0.name == name }) else {
      let rank = order.firstIndex(of: name)!
      let next = subjects[at].series.firstIndex { order.firstIndex(of: $0.name)! > rank }
      let series = Series(name: name, rounds: [figure], times: times)
      subjects[at].series.insert(series, at: next ?? subjects[at].series.count)
      return
    }
    subjects[at].series[index].rounds.append(figure)
    subjects[at].series[index].times.append(times)
  }

  /// Adds the times of a round; their median is its figure.
  mutating func add(_ times: Samples, of name: String, to subject: String) {
    add(Double(times.percentile(0.5)), times, of: name, to: subject)
  }
}

/// The ratio of a series to its base.
struct Ratio {
  let rounds: [Double]
  var median: Double { rounds.middle }
  var minimum: Double { rounds.min()! }
  var maximum: Double { rounds.max()! }
}

extension BenchmarkReport.Subject {
  /// The part that the chart of all benchmarks shows.
  var headline: BenchmarkReport.Subject? {
    switch highlight {
    case .none: return nil
    case .all: return self
    case .only(let name):
      var part = self
      part.series.removeAll { $0.name != name && $0.name != base }
      return part
    }
  }

  /// Nil for the base itself, and where the base has a figure of 0.
  func ratio(of series: BenchmarkReport.Series) -> Ratio? {
    guard let base, series.name != base, let other = self.series.first(where: { $0.name == base }),
      other.rounds.allSatisfy({ $0 > 0 })
    else { return nil }
    return Ratio(rounds: zip(series.rounds, other.rounds).map { $0 / $1 })
  }
}
