// Clients that each commit again and again, all at the same time, each commit after the one before is
// durable.

internal import SluiceSystem
internal import ToolSupport

struct DurableClients {
  let clientCount: Int
  /// Commits of each client; a single one does twice as many.
  let count: Int

  private static let began = "began"
  private static let ended = "ended"

  /// The commits of all clients in a second, from the first one's begin to the last one's end. Each client
  /// is a measured process of this kind, with these words, its number and its count.
  func rate(
    _ kind: String, _ words: [String], on bench: Workbench
  ) throws(ToolError) -> Double {
    let count = clientCount == 1 ? count * 2 : count
    var peers: [MeasuredProcess] = []
    for client in 0..<clientCount {
      let peer = try bench.startPeer(
        kind, nil, ["--client", String(client), "--count", String(count)] + words)
      // The first one makes the tables.
      try peer.awaitLine("ready", bench.wait, timeoutSeconds: 60)
      peers.append(peer)
    }
    for peer in peers { peer.say("go") }
    var began = Double.infinity
    var ended = 0.0
    for peer in peers {
      let found = try PeerReport(parsing: peer.finish(bench.wait, timeoutSeconds: 600))
      began = min(began, try found.value(Self.began))
      ended = max(ended, try found.value(Self.ended))
    }
    return Double(count * clientCount) * 1e9 / (ended - began)
  }

  /// What a client does once it is told to start. Its report says when it began and ended.
  static func measure(
    _ body: (inout PeerReport) throws(ToolError) -> Void
  ) throws(ToolError) -> PeerReport {
    BenchPeer.awaitStart()
    var report = PeerReport()
    report.add(began, Double(Clock.monotonicNanoseconds()))
    try body(&report)
    report.add(ended, Double(Clock.monotonicNanoseconds()))
    return report
  }
}
