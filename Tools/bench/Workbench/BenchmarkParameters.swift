// The user's options for benchmarks. Each benchmark names the options that it has.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem

struct BenchmarkParameters {
  let rounds: Int
  let directory: String
  let usesFUSE: Bool
  let isJSON: Bool
  let chartPath: String?
  let markdownPath: String?
  /// Nil where the benchmark's own default holds.
  let count: Int?
  let seconds: Double?
  let writers: Int?
  let readers: Int?
  let fileMebibytes: Int
  let syncDelayMilliseconds: Int
  let sessions: Int
  let processes: Int
  let gigabytes: Double?
  let values: Int?
  let databases: Int
  let connections: Int
  let size: Int
  let speedtestProgram: String?
  let cancels: Int?
  let installsPeers: Bool

  /// Takes the options that all benchmarks have, and those in `own`.
  init(_ options: inout Options, own: Set<String>) throws(CommandError) {
    rounds = try options.number("--rounds", in: 1...1000, or: 7)
    directory = try options.value("--directory") ?? BenchmarkParameters.standardDirectory
    switch try options.value("--peer") {
    case nil: usesFUSE = false
    case "fuse": usesFUSE = true
    case .some(let other): throw .usage("--peer takes fuse, not \(other)")
    }
    isJSON = options.flag("--json")
    chartPath = try options.value("--svg")
    markdownPath = try options.value("--markdown")

    func number(_ name: String, _ range: ClosedRange<Int>) throws(CommandError) -> Int? {
      guard own.contains(name) else { return nil }
      let number = try options.number(name, in: range, or: -1)
      return number < 0 ? nil : number
    }
    count = try number("--count", 10...10_000_000)
    fileMebibytes = try number("--file-size", 1...100_000) ?? 100
    writers = try number("--writers", 1...500)
    readers = try number("--readers", 0...500)
    syncDelayMilliseconds = try number("--sync-delay", 0...1000) ?? 0
    sessions = try number("--sessions", 1...1000) ?? 200
    processes = try number("--processes", 1...10_000) ?? 20
    size = try number("--size", 1...10_000) ?? 100
    speedtestProgram = own.contains("--speedtest1") ? try options.value("--speedtest1") : nil
    cancels = try number("--cancels", 1...100_000)
    installsPeers = own.contains("--install-peers") && options.flag("--install-peers")
    values = try number("--values", 1000...100_000_000)
    databases = try number("--databases", 1...4000) ?? 1000
    connections = try number("--connections", 1...1000) ?? 500

    func decimal(_ name: String, _ range: ClosedRange<Double>) throws(CommandError) -> Double? {
      guard own.contains(name), let text = try options.value(name) else { return nil }
      guard let number = Double(text), range.contains(number) else {
        let (least, most) = (range.lowerBound.short, Int(range.upperBound))
        throw .usage("\(name) takes a number from \(least) to \(most)")
      }
      return number
    }
    seconds = try decimal("--seconds", 0.01...3600)
    gigabytes = try decimal("--gigabytes", 0.01...1000)
  }

  /// ~/.cache/sluice: durable writes must be durable there, and /tmp is often memory.
  private static var standardDirectory: String {
    if let cache = unsafe environmentValue("XDG_CACHE_HOME") {
      return unsafe String(cString: cache) + "/sluice"
    }
    if let home = unsafe environmentValue("HOME") {
      _ = unsafe mkdir(zeroTerminated(String(cString: home) + "/.cache"), 0o700)
      return unsafe String(cString: home) + "/.cache/sluice"
    }
    return unsafe environmentValue("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
  }
}
