// The ratios of benchmarks as a chart: an SVG file that needs nothing else.
//
// Each bar begins at 1, where Sluice and its base are equal, and ends at the median. The whisker
// reaches from the least to the greatest of the rounds. The scale is logarithmic, so that twice and
// half are equally far from 1. Times and rates have separate panels, because the better side
// differs.

internal import Glibc
internal import SluiceCommand

struct BenchmarkChart {
  private struct Bar {
    var label: String
    /// Whether it belongs to the label above it.
    var isFurther: Bool
    var ratio: Ratio
    var isPeer: Bool
    var isBetter: Bool
  }

  private struct Panel {
    var heading: String
    var bars: [Bar]
  }

  private let title: String
  private let command: String
  private let machine: String
  private let panels: [Panel]

  /// With several reports, shows the headlines of each.
  init(_ reports: [BenchmarkReport], command: String, machine: String) {
    title =
      reports.count == 1
      ? reports[0].title.prefix(1).uppercased() + reports[0].title.dropFirst()
      : "Sluice beside SQLite's own unix VFS"
    self.command = command
    self.machine = machine
    let subjects = reports.flatMap { report in
      report.subjects.compactMap { reports.count == 1 ? $0 : $0.headline }
    }
    let panels = [
      Panel(
        heading: "Time, as a multiple of its base: less is better",
        bars: BenchmarkChart.bars(subjects.filter { $0.better == .less })),
      Panel(
        heading: "Rate, as a multiple of its base: more is better",
        bars: BenchmarkChart.bars(subjects.filter { $0.better == .more })),
    ]
    self.panels = panels.filter { !$0.bars.isEmpty }
  }

  private static func bars(_ subjects: [BenchmarkReport.Subject]) -> [Bar] {
    subjects.flatMap { subject in
      subject.series.compactMap { series -> Bar? in
        // A logarithmic scale has no place for 0.
        guard let ratio = subject.ratio(of: series), ratio.minimum > 0 else { return nil }
        let isPlain = series.name == Variant.sluice.name
        let hasOwnBase = subject.base != Variant.stock.name
        let label =
          hasOwnBase
          ? "\(series.name) ÷ \(subject.base!)" : isPlain ? subject.name : series.name
        return Bar(
          label: label, isFurther: !isPlain && !hasOwnBase, ratio: ratio,
          isPeer: series.name == Variant.fuse.name,
          isBetter: subject.better == .less ? ratio.median <= 1 : ratio.median >= 1)
      }
    }
  }

  // MARK: Drawing

  private let width = 960.0
  private let plotLeft = 380.0
  private let plotRight = 780.0
  private let rowHeight = 22.0
  private let panelHead = 56.0

  private enum Colour {
    static let better = "#2166ac"
    static let worse = "#c8701a"
    static let peer = "#8c939c"
    static let ink = "#1b1f24"
    static let faint = "#59636e"
    static let line = "#d1d9e0"
    static let paper = "#ffffff"
  }

  var svg: String {
    let rows = panels.reduce(0) { $0 + $1.bars.count }
    let commandLines = wrapped(command, to: 112)
    let top = 68 + 17 * Double(commandLines.count)
    let height = top + Double(panels.count) * panelHead + Double(rows) * rowHeight + 92
    var parts = [
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(Int(width))\" height=\"\(Int(height))\""
        + " viewBox=\"0 0 \(Int(width)) \(Int(height))\""
        + " font-family=\"system-ui, 'Segoe UI', Helvetica, Arial, sans-serif\" font-size=\"13\">",
      // A background of its own, because readers have light and dark pages.
      "<rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"\(Colour.paper)\"/>",
      text(title, 24, 36, size: 19, weight: 600),
    ]
    for (index, line) in commandLines.enumerated() {
      let monospace = "ui-monospace, Menlo, Consolas, monospace"
      parts.append(text(line, 24, 60 + 17 * Double(index), Colour.faint, family: monospace))
    }
    var y = top
    for panel in panels {
      parts += draw(panel, from: y)
      y += panelHead + Double(panel.bars.count) * rowHeight
    }
    parts.append(contentsOf: legend(at: y + 26))
    parts.append(text(machine, 24, y + 74, Colour.faint, size: 11))
    parts.append("</svg>\n")
    return parts.joined(separator: "\n")
  }

  private func draw(_ panel: Panel, from top: Double) -> [String] {
    let scale = Scale(panel.bars.map(\.ratio), from: plotLeft, to: plotRight)
    let first = top + panelHead
    let bottom = first + Double(panel.bars.count) * rowHeight
    var parts = [text(panel.heading, 24, top + 24, weight: 600)]
    for tick in scale.ticks {
      let x = scale.position(tick)
      parts.append(
        line(x, first - 6, x, bottom, tick == 1 ? Colour.ink : Colour.line, tick == 1 ? 1.5 : 1))
      parts.append(text(tickText(tick), x, first - 12, Colour.faint, size: 11, anchor: "middle"))
    }
    for (index, bar) in panel.bars.enumerated() {
      let middle = first + (Double(index) + 0.5) * rowHeight
      parts += draw(bar, at: middle, scale)
    }
    return parts
  }

  private func draw(_ bar: Bar, at middle: Double, _ scale: Scale) -> [String] {
    let colour = bar.isPeer ? Colour.peer : bar.isBetter ? Colour.better : Colour.worse
    let (one, end) = (scale.position(1), scale.position(bar.ratio.median))
    let (least, most) = (scale.position(bar.ratio.minimum), scale.position(bar.ratio.maximum))
    let spread = "\(bar.ratio.minimum.short)–\(bar.ratio.maximum.short)"
    return [
      text(
        bar.label, plotLeft - 14, middle + 4, bar.isFurther ? Colour.faint : Colour.ink,
        size: bar.isFurther ? 12 : 13, anchor: "end"),
      "<rect x=\"\(min(one, end).fixed(1))\" y=\"\((middle - 6.5).fixed(1))\""
        + " width=\"\(max(1, abs(end - one)).fixed(1))\" height=\"13\" fill=\"\(colour)\"/>",
      line(least, middle, most, middle, Colour.ink, 1),
      line(least, middle - 3.5, least, middle + 3.5, Colour.ink, 1),
      line(most, middle - 3.5, most, middle + 3.5, Colour.ink, 1),
      text(bar.ratio.median.short, plotRight + 58, middle + 4, weight: 600, anchor: "end"),
      text(spread, plotRight + 68, middle + 4, Colour.faint, size: 11),
    ]
  }

  private func legend(at y: Double) -> [String] {
    var x = 24.0
    let bars = panels.flatMap(\.bars)
    var entries = [(Colour.better, "better than the base"), (Colour.worse, "worse")]
    if bars.contains(where: \.isPeer) { entries.append((Colour.peer, Variant.fuse.name)) }
    var parts: [String] = []
    for (colour, words) in entries {
      parts.append(
        "<rect x=\"\(x.fixed(0))\" y=\"\((y - 10).fixed(0))\" width=\"13\" height=\"13\""
          + " fill=\"\(colour)\"/>")
      parts.append(text(words, x + 19, y + 1, Colour.faint, size: 12))
      x += 42 + Double(words.count) * 6.4
    }
    parts.append(
      text(
        "bar: median of the rounds; whisker: least to greatest; base: the stock unix VFS, or as said",
        24, y + 23, Colour.faint, size: 12))
    return parts
  }

  /// Lines of at most `width` characters, broken between words.
  private func wrapped(_ text: String, to width: Int) -> [String] {
    text.split(separator: " ").reduce(into: [String]()) { lines, word in
      if let last = lines.last, last.count + 1 + word.count <= width {
        lines[lines.count - 1] = last + " " + word
      } else {
        lines.append(String(word))
      }
    }
  }

  // MARK: Elements

  private func text(
    _ words: String, _ x: Double, _ y: Double, _ colour: String = Colour.ink, size: Int = 13,
    weight: Int = 400, anchor: String = "start", family: String? = nil
  ) -> String {
    "<text x=\"\(x.fixed(1))\" y=\"\(y.fixed(1))\" fill=\"\(colour)\" font-size=\"\(size)\""
      + (weight == 400 ? "" : " font-weight=\"\(weight)\"")
      + (anchor == "start" ? "" : " text-anchor=\"\(anchor)\"")
      + (family.map { " font-family=\"\($0)\"" } ?? "") + ">\(escaped(words))</text>"
  }

  private func line(
    _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ colour: String, _ width: Double
  ) -> String {
    "<line x1=\"\(x1.fixed(1))\" y1=\"\(y1.fixed(1))\" x2=\"\(x2.fixed(1))\" y2=\"\(y2.fixed(1))\""
      + " stroke=\"\(colour)\" stroke-width=\"\(width.fixed(1))\"/>"
  }

  private func tickText(_ tick: Double) -> String {
    tick >= 1 ? tick.fixed(0) : "1/" + (1 / tick).fixed(0)
  }

  private func escaped(_ text: String) -> String {
    text.map { character in
      switch character {
      case "&": "&amp;"
      case "<": "&lt;"
      case ">": "&gt;"
      default: String(character)
      }
    }.joined()
  }
}

/// A logarithmic scale of powers of two.
private struct Scale {
  let ticks: [Double]
  private let from: Double
  private let to: Double

  /// From a half to two at least, and as far as the ratios reach.
  init(_ ratios: [Ratio], from: Double, to: Double) {
    var (lowest, highest) = (0.5, 2.0)
    while let least = ratios.map(\.minimum).min(), least < lowest, lowest > 1e-6 { lowest /= 2 }
    while let most = ratios.map(\.maximum).max(), most > highest, highest < 1e6 { highest *= 2 }
    let octaves = Int(log2(highest / lowest).rounded())
    // Only as many ticks as have room, and 1 among them.
    let step = max(1, (octaves + 7) / 8)
    let below = Int(log2(1 / lowest).rounded())
    ticks = (0...octaves).filter { ($0 - below) % step == 0 }.map { lowest * exp2(Double($0)) }
    self.from = from
    self.to = to
    (self.lowest, self.highest) = (lowest, highest)
  }

  private let lowest: Double
  private let highest: Double

  func position(_ ratio: Double) -> Double {
    let share = log2(ratio / lowest) / log2(highest / lowest)
    return from + min(1, max(0, share)) * (to - from)
  }
}
