// sluice harness kill, as its user sees it.

internal import CSluice
internal import SluiceSystem

struct KillMode: HarnessMode {
  /// What is done wrong on purpose, and must be found.
  enum Canary: String, CaseIterable {
    /// A client takes a transaction for acknowledged before COMMIT returns.
    case acknowledge
  }

  private let parameters: HarnessParameters
  private let clients: Int
  private let lanes: Int
  private let kills: Int
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
    let outcome = try KillLanes(
      parameters: parameters, lanes: min(lanes, max(1, kills)), clients: clients, kills: kills,
      acknowledgesEarly: canary == .acknowledge, keepsFiles: keepsFiles, stop: stop
    ).run()
    if parameters.isJSON {
      print(
        JSON.object([
          ("mode", .text("kill")), ("seed", .integer(Int64(bitPattern: parameters.seed))),
          ("sqlite", outcome.json),
        ]).written(depth: 2))
    } else {
      print(outcome.text)
    }
    return 0
  }
}
