// sluice-harness records, as its user sees it.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem

struct RecordsMode: HarnessMode {
  enum Part: String { case model, hostile, kill }

  private let part: Part
  private let parameters: HarnessParameters
  private let sessions: Int
  private let operations: Int
  private let runs: Int
  private let seconds: Int
  private let hasCanary: Bool

  init(_ options: inout Options, _ parameters: HarnessParameters) throws(CommandError) {
    self.parameters = parameters
    guard let word = options.word(), let part = Part(rawValue: word) else {
      throw .usage("records takes one of: model hostile kill")
    }
    self.part = part
    guard parameters.socket == nil else {
      throw .usage("records takes no --socket: the engine that it tries is one of its own")
    }
    sessions = try options.number("--sessions", in: 1...64, or: part == .model ? 6 : 4)
    operations = try options.number("--operations", in: 1...1_000_000_000, or: 20_000)
    runs = try options.number("--runs", in: 1...1_000_000_000, or: 200)
    seconds = try options.number("--seconds", in: 1...1_000_000, or: 10)
    let fault = try options.value("--canary")
    guard fault == nil || fault == word && part != .hostile else {
      throw .usage("records takes --canary model or kill, with that part")
    }
    hasCanary = fault != nil
  }

  func run() throws(HarnessError) -> Int32 {
    let stop = try StopRequest()
    var members: [(String, JSON)] = [
      ("mode", .text("records \(part.rawValue)")),
      ("seed", .integer(Int64(bitPattern: parameters.seed))),
    ]
    if !parameters.isJSON {
      print("records \(part.rawValue): seed \(parameters.seed)")
      flushStandardOutput()
    }
    members += try result(stop)
    if parameters.isJSON {
      print(JSON.object(members).written(depth: 2))
    } else {
      for (name, value) in members.dropFirst(2) { print("  \(name): \(value.written(depth: 0))") }
    }
    return 0
  }

  private func result(_ stop: StopRequest) throws(HarnessError) -> [(String, JSON)] {
    switch part {
    case .model:
      return try RecordsModelRun(
        parameters, sessions: sessions, operations: operations, hasCanary: hasCanary, stop
      ).run().members
    case .hostile:
      return try EngineHostileRun(
        parameters: parameters, seconds: seconds, stop: stop,
        session: HostileRecordsSession(seed: parameters.seed), honest: HonestRecords.work
      ).run().members
    case .kill:
      let work = RecordsKillWork(acknowledgesEarly: hasCanary)
      return try EngineKillRun(parameters, clients: sessions, runs: runs, work, stop).run().members
    }
  }
}

extension RecordsModelRun.Outcome {
  /// For the report.
  fileprivate var members: [(String, JSON)] {
    [
      ("operations", .integer(Int64(operations))), ("messages", .integer(Int64(messages))),
      ("stopped_early", .integer(Int64(refused))), ("loads", .integer(Int64(loads))),
      ("loaded_messages", .integer(Int64(loadedMessages))),
      ("erasures", .integer(Int64(erasures))), ("imports", .integer(Int64(imports))),
    ]
  }
}
