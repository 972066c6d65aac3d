// sluice bench-peer: the processes that `sluice bench` starts and measures.
//
// Each prepares itself, says `ready`, waits for a line on its standard input, does its work and says
// what it has found. It ends when its standard input does: with the benchmark, however that ends.

internal import CSluice
internal import SluiceSystem

let benchPeerCommand = Command(
  name: "bench-peer", summary: "", help: "started by 'sluice bench', not by people",
  run: { words throws(CommandError) in
    var options = Options(words)
    let kind = options.word() ?? ""
    if let kind = PingPong(rawValue: kind) { return try BenchPeer.answer(kind) }
    guard let work = BenchPeer.works[kind] else { throw .usage("'sluice bench' starts this") }
    do throws(BenchmarkError) {
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

enum BenchPeer {
  typealias Work = @Sendable (inout Options) throws(BenchmarkError) -> PeerReport

  fileprivate static let works: [String: Work] = [
    "channel": ChannelBenchmark.peer, "vfs": VFSBenchmark.peer, "statement": StatementPeer.run,
    "writer": ContentionBenchmark.peer, "idle": IdleBenchmark.peer,
    "first-query": StartBenchmark.peer,
  ]

  /// Tells the benchmark that all is prepared and waits for its word.
  static func awaitStart() {
    print("ready")
    flushStandardOutput()
    var byte: UInt8 = 0
    while unsafe read(0, &byte, 1) == 1, byte != UInt8(ascii: "\n") {}
    if byte != UInt8(ascii: "\n") { _exit(0) }
    endWithInput()
  }

  /// From now on this process ends when its standard input does.
  static func endWithInput() {
    _ = try? Thread("bench-input") {
      var byte: UInt8 = 0
      while unsafe read(0, &byte, 1) > 0 {}
      _exit(0)
    }
  }

  /// Takes a peer's own options off its command line.
  static func parse<Result>(
    _ body: () throws(CommandError) -> Result
  ) throws(BenchmarkError) -> Result {
    do throws(CommandError) {
      return try body()
    } catch {
      switch error {
      case .usage(let text), .failed(let text): throw .failed("bench-peer: \(text)")
      }
    }
  }

  fileprivate static func answer(_ kind: PingPong) throws(CommandError) -> Int32 {
    guard descriptorIsOpen(3) else { throw .usage("'sluice bench' starts this") }
    endWithInput()
    do throws(Errno) {
      try kind.runPeer()
      return 0
    } catch {
      throw .failed("bench-peer: \(unsafe String(cString: error.text))")
    }
  }
}
