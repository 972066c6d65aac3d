// sluice-harness model, as its user sees it.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem

struct ModelMode: HarnessMode {
  private let parameters: HarnessParameters
  private let sessions: Int
  private let operations: Int
  private let canary: ModelCanary?
  private let scriptPath: String
  private let replayPath: String?

  init(_ options: inout Options, _ parameters: HarnessParameters) throws(CommandError) {
    self.parameters = parameters
    sessions = try options.number("--sessions", in: 1...ModelLimits.sessions, or: 8)
    operations = try options.number("--operations", in: 1...1_000_000_000_000, or: 1_000_000)
    canary = try options.value("--canary").map { (text) throws(CommandError) in
      guard let canary = ModelCanary(rawValue: text) else {
        throw .usage("--canary takes truncate, pending or close, not \(text)")
      }
      return canary
    }
    scriptPath = try options.value("--script") ?? "sluice-\(parameters.seed).script"
    replayPath = try options.value("--replay")
  }

  func run() throws(HarnessError) -> Int32 {
    let script = try replayPath.map { (path) throws(HarnessError) in
      try ModelScript.read(path)
    }
    let stop = try StopRequest()
    let sidecar = try parameters.sidecar()
    let code: Int32
    do throws(HarnessError) {
      code =
        if let script { try replay(script, on: sidecar) } else { try explore(sidecar, stop) }
    } catch {
      sidecar.stop()
      throw error
    }
    if let ending = sidecar.stop(), code == 0 {
      throw .difference("all answers were right, but the sidecar: \(ending)")
    }
    return code
  }

  private func replay(
    _ script: ModelScript, on sidecar: HarnessSidecar
  ) throws(HarnessError) -> Int32 {
    let failure = try ModelRun.replay(script, on: sidecar, canary: canary)
    if parameters.isJSON {
      show([
        ("mode", .text("replay")), ("steps", .integer(Int64(script.steps.count))),
        ("difference", failure.map { .text($0.text) } ?? .null),
      ])
    } else if let failure {
      print("step \(failure.index + 1) of \(script.steps.count): \(failure.text)")
    } else {
      print("\(script.steps.count) steps, no difference")
    }
    return failure == nil ? 0 : 1
  }

  private func explore(
    _ sidecar: HarnessSidecar, _ stop: StopRequest
  ) throws(HarnessError) -> Int32 {
    if !parameters.isJSON {
      print("model: seed \(parameters.seed), \(sessions) sessions")
      flushStandardOutput()
    }
    let outcome = try ModelRun(
      sidecar: sidecar, sessions: sessions, operations: operations, seed: parameters.seed,
      canary: canary, stop: stop
    ).run()
    if let failure = outcome.failure { try write(failure) }
    let seconds = Double(outcome.nanoseconds) / 1e9
    let rate = Double(outcome.done) / max(seconds, 1e-9)
    if parameters.isJSON {
      show([
        ("mode", .text("model")), ("seed", .integer(Int64(bitPattern: parameters.seed))),
        ("sessions", .integer(Int64(sessions))), ("operations", .integer(Int64(outcome.done))),
        ("standing_locks", .integer(Int64(outcome.standing))), ("seconds", .number(seconds)),
        ("operations_per_second", .number(rate)),
        ("difference", outcome.failure.map { .text($0.text) } ?? .null),
        ("script", outcome.failure == nil ? .null : .text(scriptPath)),
        ("steps", .array((outcome.failure?.steps ?? []).prefix(100).map { .text($0.text) })),
      ])
    } else {
      print(
        "model: \(grouped(UInt64(outcome.done))) operations in \(seconds.short) s, "
          + "\(grouped(UInt64(rate))) a second, "
          + "\(grouped(UInt64(outcome.standing))) locks without a request, "
          + (outcome.failure == nil ? "no difference" : "then a difference"))
      if let failure = outcome.failure { explain(failure) }
    }
    return outcome.failure == nil ? 0 : 1
  }

  private func write(_ failure: ModelRun.Failure) throws(HarnessError) {
    let script = ModelScript(sessions: sessions, steps: failure.steps)
    let remarks = [
      "seed \(parameters.seed)" + (canary.map { ", canary \($0)" } ?? ""), failure.text,
      failure.isRepeated ? "fails each time" : "did not fail again: a run with the seed may",
    ]
    try script.write(to: scriptPath, remarks: remarks)
  }

  private func explain(_ failure: ModelRun.Failure) {
    print("difference: \(failure.text)")
    let shown = failure.steps.suffix(40)
    print("steps:" + (shown.count < failure.steps.count ? " … the last \(shown.count):" : ""))
    for step in shown { print("  \(step.text)") }
    print(
      "all \(failure.steps.count) are in \(scriptPath); 'sluice-harness model --replay' runs them")
    if !failure.isRepeated { print("they did not fail again on their own") }
  }

  private func show(_ members: [(String, JSON)]) { print(JSON.object(members).written(depth: 2)) }
}
