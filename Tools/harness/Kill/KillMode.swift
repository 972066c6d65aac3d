// sluice-harness kill, as its user sees it.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem

struct KillMode: HarnessMode {
  /// A fault on purpose, which the run must find.
  enum Canary: String, CaseIterable {
    /// A client takes a transaction for acknowledged before COMMIT returns.
    case acknowledge
    /// The table says that a request is done that was not handed over.
    case table
  }

  private let parameters: HarnessParameters
  private let clients: Int
  private let lanes: Int
  private let kills: Int
  private let rounds: Int
  private let stockInterval: Int
  private let canary: Canary?
  private let keepsFiles: Bool

  init(_ options: inout Options, _ parameters: HarnessParameters) throws(CommandError) {
    self.parameters = parameters
    guard parameters.socket == nil else {
      throw .usage("kill takes no --socket: the sidecar that it kills is one of its own")
    }
    clients = try options.number("--sessions", in: 1...32, or: 3)
    lanes = try options.number("--lanes", in: 1...64, or: 2)
    kills = try options.number("--kills", in: 0...1_000_000_000, or: 400)
    rounds = try options.number("--rounds", in: 0...1_000_000, or: 1)
    stockInterval = try options.number("--stock", in: 1...1_000_000, or: 8)
    keepsFiles = options.flag("--keep")
    canary = try options.value("--canary").map { (text) throws(CommandError) in
      guard let canary = Canary(rawValue: text) else {
        let names = Canary.allCases.map(\.rawValue).joined(separator: " or ")
        throw .usage("--canary takes \(names), not \(text)")
      }
      return canary
    }
  }

  func run() throws(HarnessError) -> Int32 {
    let stop = try StopRequest()
    if !parameters.isJSON {
      print("kill: seed \(parameters.seed)")
      flushStandardOutput()
    }
    let table = rounds > 0 ? try table(stop) : nil
    if !parameters.isJSON, let table {
      print(table.text)
      flushStandardOutput()
    }
    let lanes =
      kills > 0
      ? try KillLanes(
        parameters: parameters, lanes: min(lanes, kills), clients: clients, kills: kills,
        stockInterval: stockInterval,
        acknowledgesEarly: canary == .acknowledge, keepsFiles: keepsFiles, stop: stop
      ).run() : nil
    if parameters.isJSON {
      print(
        JSON.object([
          ("mode", .text("kill")), ("seed", .integer(Int64(bitPattern: parameters.seed))),
          ("table", table?.json ?? .null), ("sqlite", lanes?.json ?? .null),
        ]).written(depth: 2))
    } else if let lanes {
      print(lanes.text)
    }
    return 0
  }

  private func table(_ stop: StopRequest) throws(HarnessError) -> DeathRun.Outcome {
    let sidecar = try HarnessSidecar(
      startedBelow: parameters.directory, options: DeathRun.sidecarOptions)
    let outcome: DeathRun.Outcome
    do throws(HarnessError) {
      outcome = try DeathRun(
        sidecar: sidecar, rounds: rounds, seed: parameters.seed, canary: canary == .table,
        stop: stop
      ).run()
    } catch {
      sidecar.resume()
      sidecar.stop()
      throw error
    }
    if let ending = sidecar.stop() { throw .difference("the sidecar: \(ending)") }
    return outcome
  }
}
