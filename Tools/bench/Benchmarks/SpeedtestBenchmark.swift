// sluice-bench speedtest: SQLite's own speedtest1, an unmodified program. `sluice run` preloads
// libsluice.so into it.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

struct SpeedtestBenchmark: Benchmark {
  static let name = "speedtest"
  static let options: Set<String> = ["--size", "--speedtest1"]

  private let size: Int
  private let speedtest: String

  /// Options of speedtest1, and whether they make a WAL database.
  private struct Setting {
    let name: String
    let words: [String]
    let isWAL: Bool
  }

  private let settings = [
    Setting(name: "DELETE", words: ["--journal", "delete"], isWAL: false),
    Setting(name: "DELETE, --nosync", words: ["--journal", "delete", "--nosync"], isWAL: false),
    Setting(name: "WAL", words: ["--journal", "wal"], isWAL: true),
  ]

  init(_ parameters: BenchmarkParameters, on bench: Workbench) throws(ToolError) {
    size = parameters.size
    if let named = parameters.speedtestProgram {
      speedtest = named
    } else {
      speedtest = try SpeedtestBenchmark.obtained(for: bench.sqlite.version)
    }
    guard unsafe access(zeroTerminated(speedtest), X_OK) == 0 else {
      throw .failed("speedtest: \(speedtest): \(lastErrorText())")
    }
  }

  func run(on bench: Workbench) throws(ToolError) -> BenchmarkReport {
    var report = BenchmarkReport(
      SpeedtestBenchmark.name, "speedtest1 --size \(size), from start to end", rounds: bench.rounds,
      order: bench.variants.map(\.name))
    func subject(_ setting: Setting) -> String { "speedtest1, \(setting.name)" }
    for setting in settings {
      report.declare(
        subject(setting), .nanoseconds, .less, base: Variant.stock.name, highlight: .all)
    }
    report.notes += try bench.interleave(
      SpeedtestBenchmark.name, settings.map { ($0.name, $0) }, bench.variants
    ) { (setting, variant) throws(ToolError) in
      report.add(try time(setting, variant, on: bench), of: variant.name, to: subject(setting))
    }
    return report
  }

  private func time(
    _ setting: Setting, _ variant: Variant, on bench: Workbench
  ) throws(ToolError) -> Double {
    let database = bench.freshName()
    defer { bench.remove(database) }
    let target = bench.target(database, variant)
    // speedtest1 gives up when there is no VFS of that name.
    let words =
      [speedtest, "--vfs", target.vfs, "--size", String(size)] + setting.words + [target.path]
    let prefix = target.library == nil ? [] : [bench.sidecarProgram, "run", "--"]
    let process = try bench.startProgram(prefix + words, library: target.library)
    try process.finish(bench.wait, timeoutSeconds: 3600)
    let nanoseconds = Clock.monotonicNanoseconds() - process.startedNanoseconds
    // Bytes 18 and 19 of the header are 2 in WAL mode.
    let file = try? unsafe FileDescriptor.open(zeroTerminated(bench.path(database)), .readOnly)
    var version: UInt8 = 0
    _ = try? unsafe withUnsafeMutableBytes(of: &version) { (bytes) throws(Errno) in
      try unsafe file?.read(into: bytes, at: 18)
    }
    guard version == (setting.isWAL ? 2 : 1) else {
      throw .failed("speedtest: \(variant.name): the database is not in \(setting.name) mode")
    }
    return Double(nanoseconds)
  }

  /// The program that `Tools/sqlite-suite build` made for the installed version of SQLite.
  private static func obtained(for version: String) throws(ToolError) -> String {
    let home = unsafe environmentValue("HOME").map { unsafe String(cString: $0) } ?? ""
    let cache =
      unsafe environmentValue("XDG_CACHE_HOME").map { unsafe String(cString: $0) }
      ?? home + "/.cache"
    let names = (try? unsafe namesInDirectory(zeroTerminated(cache + "/sluice"))) ?? []
    for name in names.map({ String(decoding: $0, as: UTF8.self) })
    where name == "sqlite-" + version || name.hasPrefix("sqlite-\(version)-") {
      let path = "\(cache)/sluice/\(name)/bin/speedtest1"
      if unsafe access(zeroTerminated(path), X_OK) == 0 { return path }
    }
    throw .failed(
      "speedtest: no speedtest1 of SQLite \(version) in \(cache)/sluice: 'Tools/sqlite-suite build'"
        + " gets and builds it, or name one by --speedtest1 PATH")
  }
}
