// sluice-bench vfs: the calls that SQLite makes to its VFS, one by one, on both VFSs.

internal import SluiceCommand
internal import ToolSupport

struct VFSBenchmark: Benchmark {
  static let name = "vfs"
  static let options: Set<String> = ["--count", "--file-size"]

  private let rounds: Int
  private let count: Int
  private let fileMebibytes: Int

  init(_ parameters: BenchmarkParameters, on bench: Workbench) {
    rounds = parameters.rounds
    count = parameters.count ?? 20_000
    fileMebibytes = parameters.fileMebibytes
  }

  func run(on bench: Workbench) throws(ToolError) -> BenchmarkReport {
    let variants =
      bench.variants + [
        .withoutReadWindow, .withoutPostedWrites, .withoutOwnedKnowledge, .withoutStandingLocks,
      ]
    var report = BenchmarkReport(
      VFSBenchmark.name, "calls of SQLite's VFS on a warm file of \(fileMebibytes) MiB",
      rounds: rounds, order: variants.map(\.name))
    for call in VFSCall.allCases {
      report.declare(
        call.rawValue, .nanoseconds, .less, base: Variant.stock.name,
        highlight: call == .read || call == .write ? .all : .none)
    }
    report.notes = [
      "xRead and xFileSize under a SHARED lock, xWrite under an EXCLUSIVE one; xWrite is the time"
        + " of the call alone; the xSync after every \(VFSCall.writesBetweenSyncs) calls is not counted"
    ]
    let file = bench.freshName()
    try bench.fill(file, mebibytes: fileMebibytes)
    defer { bench.remove(file) }
    report.notes += try bench.interleave(
      VFSBenchmark.name, [("", ())], variants
    ) { (_, variant) throws(ToolError) in
      let calls = VFSCall.allCases.filter { $0.concerns(variant) }
      let found = try bench.runPeer(
        "vfs", bench.target(file, variant),
        ["--count", String(count), "--calls", calls.map { "\($0)" }.joined(separator: ",")])
      for call in calls {
        report.add(try found.samples(call.rawValue), of: variant.name, to: call.rawValue)
      }
    }
    return report
  }

  // MARK: The measured process

  static func peer(_ options: inout Options) throws(ToolError) -> PeerReport {
    var target = Target(path: "")
    var count = 0
    var calls: [VFSCall] = []
    try BenchPeer.parse { () throws(CommandError) in
      target = try Target(&options)
      count = try options.number("--count", in: 10...10_000_000, or: 1000)
      let names = try options.value("--calls") ?? ""
      calls = VFSCall.allCases.filter { names.split(separator: ",").contains("\($0)") }
      try options.finish()
    }
    let sqlite = try SQLiteLibrary()
    let timer = try VFSTimer(sqlite, target, count: count)
    BenchPeer.awaitStart()
    var report = PeerReport()
    for call in calls { report.add(call.rawValue, try timer.time(call)) }
    return report
  }
}
