// sluice-bench records-scale: one very large value, and very many values, in a shared engine. How much
// memory the load of the large one takes on both sides, and how long small loads beside it take; how
// long the list of many values takes, and their opening after a crash of the engine.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

struct RecordsScaleBenchmark: Benchmark {
  static let name = "records-scale"
  static let options: Set<String> = ["--gigabytes", "--values", "--seconds"]

  private let chunkCount: Int
  private let valueCount: Int
  private let seconds: Double

  private enum Subject {
    static let fill = "the large value is stored"
    static let load = "the large value is loaded"
    static let memory = "peak memory, load of the large value"
    static let small = "load, 10 transactions"
    static let list = "a page of 1,000 ids"
    static let storeMany = "new values, headers alone, queued"
    static let open = "open after a crash"
  }

  private enum Series {
    static let engine = "engine"
    static let client = "client"
    static let alone = "alone"
    static let beside = "beside the load of the large value"
  }

  init(_ parameters: BenchmarkParameters, on bench: Workbench) {
    // Each is a message that exceeds the interval of signatures.
    chunkCount = Int((parameters.gigabytes ?? 1) * 10_000)
    valueCount = parameters.values ?? 1_000_000
    seconds = parameters.seconds ?? 3
  }

  func run(on bench: Workbench) throws(ToolError) -> BenchmarkReport {
    var report = BenchmarkReport(
      Self.name, "a value of \(chunkCount) chunks of 100 KiB, and \(valueCount) values",
      rounds: bench.rounds,
      order: [Series.alone, Series.beside, Series.engine, Series.client])
    for name in [Subject.fill, Subject.load, Subject.open, Subject.list] {
      report.declare(name, .nanoseconds, .less)
    }
    report.declare(Subject.small, .nanoseconds, .less, base: Series.alone)
    report.declare(Subject.memory, .kibibytes, .less)
    report.declare(Subject.storeMany, .perSecond, .more)
    for round in 0..<bench.rounds {
      bench.tell("\(Self.name): round \(round + 1) of \(bench.rounds)")
      try measureLarge(on: bench, &report)
      try measureMany(on: bench, &report)
    }
    return report
  }

  // MARK: The large value

  private func measureLarge(
    on bench: Workbench, _ report: inout BenchmarkReport
  ) throws(ToolError) {
    let name = bench.freshName()
    defer { bench.remove(name) }
    do {
      let engine = try SharedEngine(on: bench)
      defer { engine.stop() }
      let filled = try bench.runPeer(
        "records-fill-large", nil,
        ["--socket", engine.socket, "--count", String(chunkCount), name])
      report.add(
        try filled.value(RecordsScalePeers.nanoseconds), of: Series.engine, to: Subject.fill)
    }
    // A fresh engine, so that its peak is that of the load.
    let engine = try SharedEngine(on: bench)
    defer { engine.stop() }
    let socket = ["--socket", engine.socket, name]
    let milliseconds = String(Int(seconds * 1000))
    func smallLoads() throws(ToolError) -> MeasuredProcess {
      try bench.startPeer("records-small-loads", nil, ["--count", milliseconds] + socket)
    }
    func finish(_ peer: MeasuredProcess, as series: String) throws(ToolError) {
      let found = try PeerReport(parsing: peer.finish(bench.wait, timeoutSeconds: 600))
      report.add(try found.samples(RecordsScalePeers.loads), of: series, to: Subject.small)
    }
    let alone = try smallLoads()
    alone.say("go")
    try finish(alone, as: Series.alone)
    let large = try bench.startPeer("records-load-large", nil, ["--count", milliseconds] + socket)
    let beside = try smallLoads()
    try large.awaitLine("ready", bench.wait, timeoutSeconds: 60)
    try beside.awaitLine("ready", bench.wait, timeoutSeconds: 60)
    large.say("go")
    beside.say("go")
    try finish(beside, as: Series.beside)
    let found = try PeerReport(parsing: large.finish(bench.wait, timeoutSeconds: 600))
    report.add(
      try found.value(RecordsScalePeers.nanoseconds), of: Series.client, to: Subject.load)
    guard try found.value(RecordsScalePeers.transactions) == Double(chunkCount) else {
      throw .failed("the large value came in part")
    }
    report.add(try found.value(RecordsScalePeers.memory), of: Series.client, to: Subject.memory)
    if let peak = peakKibibytes(ofProcess: engine.id) {
      report.add(peak, of: Series.engine, to: Subject.memory)
    }
  }

  // MARK: Many values

  private func measureMany(
    on bench: Workbench, _ report: inout BenchmarkReport
  ) throws(ToolError) {
    let name = bench.freshName()
    defer { bench.remove(name) }
    func words(_ engine: SharedEngine) -> [String] {
      ["--socket", engine.socket, "--count", String(valueCount), name]
    }
    do {
      let engine = try SharedEngine(on: bench)
      defer { engine.stop() }
      let filled = try bench.runPeer("records-fill-many", nil, words(engine))
      report.add(
        Double(valueCount) * 1e9 / (try filled.value(RecordsScalePeers.nanoseconds)),
        of: Series.engine, to: Subject.storeMany)
      // Nobody has closed the store.
      kill(engine.id, SIGKILL)
    }
    let engine = try SharedEngine(on: bench)
    defer { engine.stop() }
    let found = try bench.runPeer("records-list", nil, words(engine))
    report.add(try found.value(RecordsScalePeers.opening), of: Series.client, to: Subject.open)
    report.add(try found.samples(RecordsScalePeers.pages), of: Series.client, to: Subject.list)
  }
}

/// The most memory that a process has had, in KiB (VmHWM).
func peakKibibytes(ofProcess process: Int32?) -> Double? {
  let path = "/proc/\(process.map { String($0) } ?? "self")/status"
  let line = textOfFile(path)?.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
  return line?.split(whereSeparator: { !$0.isNumber }).first.flatMap { Double($0) }
}
