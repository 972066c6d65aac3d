// The measured processes of `sluice-bench sql` that are runs of this program.

internal import SluiceClient
internal import SluiceCommand
internal import SluiceSQL
internal import SluiceSystem
internal import ToolSupport

enum SQLPeers {
  static let rowsBySteps = "1,000 rows, step by step"
  static let emptyCall = "empty call"
  static let bareWords = "bare spin ping-pong"
  static let cancel = "cancel of an endless query"
  static let cancelSlowest = "cancel, the slowest of a round"

  /// SQLite in the process.
  static func stock(_ options: inout Options) throws(ToolError) -> PeerReport {
    let (path, cancelCount) = try words(&options)
    var side = try StockSQLSide(path)
    BenchPeer.awaitStart()
    var report = PeerReport()
    try side.measure(in: &report)
    report.add(cancel, try side.cancelTimes(cancelCount))
    return report
  }

  /// The C interface, with a private engine. `--library` names it.
  static func sluice(_ options: inout Options) throws(ToolError) -> PeerReport {
    let library = try BenchPeer.parse { () throws(CommandError) in
      try options.value("--library") ?? ""
    }
    let (path, cancelCount) = try words(&options)
    var side = try SluiceSQLSide(path, library: library)
    BenchPeer.awaitStart()
    var report = PeerReport()
    try side.measure(in: &report)
    var bySteps = PeerReport()
    side.takesBySteps = true
    try side.measure([.rows], in: &bySteps)
    report.add(rowsBySteps, try bySteps.samples(SQLWork.rows.rawValue))
    report.add(cancel, try side.cancelTimes(cancelCount))
    return report
  }

  /// The plain service on a socket.
  static func socket(_ options: inout Options) throws(ToolError) -> PeerReport {
    let (path, _) = try words(&options)
    var side = try SocketSQLSide(path)
    BenchPeer.awaitStart()
    var report = PeerReport()
    try side.measure(in: &report)
    return report
  }

  /// A call that does nothing, beside two bare words.
  static func empty(_ options: inout Options) throws(ToolError) -> PeerReport {
    let (path, _) = try words(&options)
    let count = 20_000
    let connection: SQLConnection
    do {
      connection = try SQLConnection(
        RingSession.startPrivateEngine(), path: Array(path.utf8), mode: .open)
    } catch { throw .failed("the engine: \(error)") }
    BenchPeer.awaitStart()
    var report = PeerReport()
    do throws(Errno) {
      report.add(bareWords, try PingPong.spin.measure(count: count))
    } catch {
      throw .system("ping-pong", error)
    }
    do throws(SQLFailure) {
      for _ in 0..<count / 10 { try connection.roundTrip() }
      var samples = Samples(capacity: count)
      for _ in 0..<count {
        let start = Clock.monotonicNanoseconds()
        try connection.roundTrip()
        samples.append(Clock.monotonicNanoseconds() - start)
      }
      report.add(emptyCall, samples)
    } catch {
      throw .failed("the empty call: \(error)")
    }
    return report
  }

  private static func words(
    _ options: inout Options
  ) throws(ToolError) -> (path: String, cancelCount: Int) {
    try BenchPeer.parse { () throws(CommandError) in
      let count = try options.number("--cancels", in: 1...100_000, or: 50)
      let path = options.word() ?? ""
      try options.finish()
      return (path, count)
    }
  }
}
