// sluice-harness sql, as its user sees it.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem

struct SQLMode: HarnessMode {
  enum Part: String { case model, hostile, kill, cancel, stateKill = "state-kill" }

  private let part: Part
  private let parameters: HarnessParameters
  private let sessions: Int
  private let operations: Int
  private let runs: Int
  private let seconds: Int
  private let canary: Part?

  init(_ options: inout Options, _ parameters: HarnessParameters) throws(CommandError) {
    self.parameters = parameters
    guard let word = options.word(), let part = Part(rawValue: word) else {
      throw .usage("sql takes one of: model hostile kill state-kill cancel")
    }
    self.part = part
    guard parameters.socket == nil else {
      throw .usage("sql takes no --socket: the engine that it tries is one of its own")
    }
    sessions = try options.number("--sessions", in: 1...64, or: part == .model ? 6 : 4)
    operations = try options.number("--operations", in: 1...1_000_000_000, or: 20_000)
    runs = try options.number("--runs", in: 1...1_000_000_000, or: part == .cancel ? 1000 : 200)
    seconds = try options.number("--seconds", in: 1...1_000_000, or: 10)
    let fault = try options.value("--canary")
    guard fault == nil || fault == word && [.model, .kill, .stateKill].contains(part) else {
      throw .usage("sql takes --canary model, kill or state-kill, with that part")
    }
    canary = fault.flatMap { Part(rawValue: $0) }
  }

  func run() throws(HarnessError) -> Int32 {
    let stop = try StopRequest()
    var members: [(String, JSON)] = [
      ("mode", .text("sql \(part.rawValue)")),
      ("seed", .integer(Int64(bitPattern: parameters.seed))),
    ]
    if !parameters.isJSON {
      print("sql \(part.rawValue): seed \(parameters.seed)")
      flushStandardOutput()
    }
    switch part {
    case .model: members += try model(stop)
    case .hostile: members += try hostile(stop)
    case .kill, .stateKill: members += try kill(stop)
    case .cancel: members += try cancel(stop)
    }
    if parameters.isJSON {
      print(JSON.object(members).written(depth: 2))
    } else {
      for (name, value) in members.dropFirst(2) { print("  \(name): \(value.written(depth: 0))") }
    }
    return 0
  }

  private func model(_ stop: StopRequest) throws(HarnessError) -> [(String, JSON)] {
    let outcome = try SQLModelRun(
      parameters: parameters, sessions: sessions, operations: operations,
      hasCanary: canary == .model, stop: stop
    ).run()
    return [
      ("statements", .integer(Int64(outcome.operations))),
      ("refused", .integer(Int64(outcome.refused))), ("rows", .integer(Int64(outcome.rows))),
      ("cursor_steps", .integer(Int64(outcome.cursors))),
    ]
  }

  private func hostile(_ stop: StopRequest) throws(HarnessError) -> [(String, JSON)] {
    try EngineHostileRun(
      parameters: parameters, seconds: seconds, stop: stop,
      session: HostileSQLSession(seed: parameters.seed), honest: HonestSQL.work
    ).run().members
  }

  private func kill(_ stop: StopRequest) throws(HarnessError) -> [(String, JSON)] {
    let work = SQLKillWork(isOnState: part == .stateKill, acknowledgesEarly: canary == part)
    return try EngineKillRun(parameters, clients: sessions, runs: runs, work, stop).run().members
  }

  private func cancel(_ stop: StopRequest) throws(HarnessError) -> [(String, JSON)] {
    let outcome = try SQLCancelRun(parameters: parameters, runs: runs, stop: stop).run()
    return [
      ("cancels", .integer(Int64(outcome.latencies.count))),
      ("too_early", .integer(Int64(outcome.early))),
      ("p50_us", .integer(outcome.latencies.percentile(0.5) / 1000)),
      ("p99_us", .integer(outcome.latencies.percentile(0.99) / 1000)),
      ("max_us", .integer(outcome.latencies.nanosecondsMaximum / 1000)),
    ]
  }
}
