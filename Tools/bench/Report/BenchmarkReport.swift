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

  /// The series of a subject, beside its base, that the chart of several benchmarks shows.
  enum Highlight {
    case none, all
    case only(String)
  }

  struct Series {
    var name: String
    /// The figure of each round.
    var rounds: [Double] = []
    /// The times of single operations in all rounds, where they were taken in this run.
    var samples = Samples()
    /// The same of an earlier run, which keeps no samples.
    var earlierTimes: Times?

    var times: Times? { earlierTimes ?? Times(samples) }
  }

  /// What a report says of the times of single operations.
  struct Times {
    var p50Nanoseconds: Int64
    var p99Nanoseconds: Int64
    var count: Int

    init(p50Nanoseconds: Int64, p99Nanoseconds: Int64, count: Int) {
      self.p50Nanoseconds = p50Nanoseconds
      self.p99Nanoseconds = p99Nanoseconds
      self.count = count
    }

    /// Nil where no times were taken.
    init?(_ samples: Samples) {
      guard !samples.isEmpty else { return nil }
      self.init(
        p50Nanoseconds: samples.percentile(0.5), p99Nanoseconds: samples.percentile(0.99),
        count: samples.nanoseconds.count)
    }
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
  private(set) var subjects: [Subject]
  /// What the reader must know about the figures.
  var notes: [String] = []
  /// The order in which variants are shown, whatever the order of measuring.
  private let order: [String]

  init(
    _ benchmark: String, _ title: String, rounds: Int, order: [String] = [],
    subjects: [Subject] = []
  ) {
    self.benchmark = benchmark
    self.title = title
    self.rounds = rounds
    self.order = order
    self.subjects = subjects
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
      let series = Series(name: name, rounds: [figure], samples: times)
      subjects[at].series.insert(series, at: next ?? subjects[at].series.count)
      return
    }
    subjects[at].series[index].rounds.append(figure)
    subjects[at].series[index].samples.append(times)
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
