// sluice-bench peer: the processes that the benchmarks start and measure.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

let peerCommand = Command(
  name: "peer", summary: "", help: "started by 'sluice-bench', not by people",
  run: { words throws(CommandError) in
    var options = Options(words)
    let kind = options.word() ?? ""
    if let kind = PingPong(rawValue: kind) { return try answer(kind) }
    guard let work = works[kind] else { throw .usage("'sluice-bench' starts this") }
    do throws(ToolError) {
      print(try work(&options).text)
      return 0
    } catch {
      switch error {
      case .failed(let text): print("error\t" + text)
      case .unopenable(let text): print("unopenable\t" + text)
      case .interrupted: break
      }
      return 2
    }
  })

private typealias Work = @Sendable (inout Options) throws(ToolError) -> PeerReport

private let works: [String: Work] = [
  "channel": ChannelBenchmark.peer, "vfs": VFSBenchmark.peer, "statement": StatementPeer.run,
  "counter": CounterPeer.run, "beside": BesideBenchmark.peer, "idle": IdleBenchmark.peer,
  "first-query": StartBenchmark.peer, "group-writer": GroupBenchmark.peer,
  "program": ProgramRun.peer, "open": OpenBenchmark.peer, "scale-fill": ScaleBenchmark.fill,
  "sql-stock": SQLPeers.stock, "sql-sluice": SQLPeers.sluice, "sql-socket": SQLPeers.socket,
  "sql-service": SocketSQLService.run, "sql-empty": SQLPeers.empty,
  "sql-state": StateBenchmark.peer,
  "records-stock": RecordsPeers.stock, "records-connection": RecordsPeers.connection,
  "records-storage": RecordsPeers.storage, "records-durable-stock": RecordsPeers.durableStock,
  "records-durable-connection": RecordsPeers.durableConnection,
  "documents": DocumentsPeers.document, "documents-durable": DocumentsPeers.durable,
  "records-fill-large": RecordsScalePeers.fillLarge,
  "records-load-large": RecordsScalePeers.loadLarge,
  "records-small-loads": RecordsScalePeers.smallLoads,
  "records-fill-many": RecordsScalePeers.fillMany, "records-list": RecordsScalePeers.list,
  "scale-read": ScaleBenchmark.read, "scale-crowd": ScaleBenchmark.crowd,
]

private func answer(_ kind: PingPong) throws(CommandError) -> Int32 {
  guard descriptorIsOpen(3) else { throw .usage("'sluice-bench' starts this") }
  endWithInput()
  do throws(Errno) {
    try kind.runPeer()
    return 0
  } catch {
    throw .failed("peer: \(unsafe String(cString: error.text))")
  }
}
