// A run of earlier: what sluice-bench --json printed. SQLite's own JSON functions read it.

internal import SluiceCommand
internal import ToolSupport

struct EarlierRun {
  let command: String
  let machine: Machine
  let notes: [String]
  let reports: [BenchmarkReport]

  private static let byteCountMaximum = 1 << 24

  init(_ path: String, _ sqlite: SQLiteLibrary) throws(ToolError) {
    let limit = EarlierRun.byteCountMaximum
    guard let text = textOfFile(path, byteCountMaximum: limit), text.utf8.count < limit else {
      throw .failed("\(path): cannot be read, or is too large")
    }
    let connection = try SQLiteConnection(sqlite, Target(path: ":memory:"))
    let literal = "'" + text.replacing("'", with: "''") + "'"
    guard !text.contains("\0"), try connection.execute("SELECT json_valid(\(literal))") == "1"
    else {
      throw .failed("\(path): is not what sluice-bench --json printed")
    }
    try connection.execute("CREATE TABLE run AS SELECT \(literal) AS document")
    let run = Part(path: path, connection: connection, place: "$")
    command = try run.text("command")
    machine = try Machine(run.part("machine"))
    notes = try run.texts("notes")
    reports = try run.parts("benchmarks").map { (part) throws(ToolError) in
      try BenchmarkReport(part)
    }
  }

  /// One object of the document.
  fileprivate struct Part {
    let path: String
    let connection: SQLiteConnection
    /// Where it stands, as SQLite writes paths.
    let place: String

    private func find(_ function: String, _ place: String) throws(ToolError) -> String? {
      try connection.execute("SELECT \(function)(document, '\(place)') FROM run")
    }

    /// Nil where there is no such member, or it is null.
    func found(_ name: String) throws(ToolError) -> String? {
      try find("json_extract", place + "." + name)
    }

    func text(_ name: String) throws(ToolError) -> String {
      guard let text = try found(name) else { throw missing(name) }
      return text
    }

    func integer<Value: FixedWidthInteger>(_ name: String) throws(ToolError) -> Value {
      guard let value = Value(try text(name)) else { throw missing(name) }
      return value
    }

    /// The places of a list's elements.
    private func places(_ name: String) throws(ToolError) -> [String] {
      let list = place + "." + name
      guard let count = Int(try find("json_array_length", list) ?? "") else { throw missing(name) }
      return (0..<count).map { "\(list)[\($0)]" }
    }

    func part(_ name: String) -> Part {
      Part(path: path, connection: connection, place: place + "." + name)
    }

    func parts(_ name: String) throws(ToolError) -> [Part] {
      try places(name).map { Part(path: path, connection: connection, place: $0) }
    }

    func texts(_ name: String) throws(ToolError) -> [String] {
      try places(name).map { (place) throws(ToolError) in
        guard let text = try find("json_extract", place) else { throw missing(name) }
        return text
      }
    }

    func numbers(_ name: String) throws(ToolError) -> [Double] {
      try texts(name).map { (text) throws(ToolError) in
        guard let number = Double(text) else { throw missing(name) }
        return number
      }
    }

    func choice<Choice: RawRepresentable<String>>(_ name: String) throws(ToolError) -> Choice {
      guard let choice = Choice(rawValue: try text(name)) else { throw missing(name) }
      return choice
    }

    private func missing(_ name: String) -> ToolError {
      .failed("\(path): has no proper \(place).\(name)")
    }
  }
}

extension Machine {
  fileprivate init(_ part: EarlierRun.Part) throws(ToolError) {
    self.init(
      processor: try part.text("processor"), processors: try part.integer("processors"),
      kernel: try part.text("kernel"), fileSystem: try part.text("file_system"),
      sqlite: try part.text("sqlite"), date: try part.text("date"))
  }
}

extension BenchmarkReport {
  fileprivate init(_ part: EarlierRun.Part) throws(ToolError) {
    self.init(
      try part.text("benchmark"), try part.text("title"), rounds: try part.integer("rounds"),
      subjects: try part.parts("subjects").map { (part) throws(ToolError) in
        try Subject(part)
      })
    notes = try part.texts("notes")
  }
}

extension BenchmarkReport.Subject {
  fileprivate init(_ part: EarlierRun.Part) throws(ToolError) {
    self.init(
      name: try part.text("subject"), unit: try part.choice("unit"),
      better: try part.choice("better"), base: try part.found("base"),
      highlight: .init(earlier: try part.found("highlight")),
      series: try part.parts("rows").map { (part) throws(ToolError) in
        try BenchmarkReport.Series(part)
      })
  }
}

extension BenchmarkReport.Series {
  fileprivate init(_ part: EarlierRun.Part) throws(ToolError) {
    self.init(name: try part.text("name"), rounds: try part.numbers("rounds"))
    if try part.found("samples") != nil {
      earlierTimes = .init(
        p50Nanoseconds: try part.integer("p50_ns"), p99Nanoseconds: try part.integer("p99_ns"),
        count: try part.integer("samples"))
    }
  }
}

extension BenchmarkReport.Highlight {
  fileprivate init(earlier text: String?) {
    self =
      switch text {
      case nil: .none
      case "all": .all
      case let name?: .only(name)
      }
  }
}
