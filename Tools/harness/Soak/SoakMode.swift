// sluice-harness soak, as its user sees it.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem

struct SoakMode: HarnessMode {
  private let parameters: HarnessParameters
  private let seconds: Int
  private let sessions: Int
  private let hoards: Bool

  init(_ options: inout Options, _ parameters: HarnessParameters) throws(CommandError) {
    self.parameters = parameters
    guard parameters.socket == nil else {
      throw .usage("soak takes no --socket: it watches a sidecar of its own")
    }
    seconds = try options.number("--seconds", in: 1...1_000_000, or: 60)
    sessions = try options.number("--sessions", in: 1...ModelLimits.sessions, or: 3)
    let canary = try options.value("--canary")
    guard canary == nil || canary == "hoard" else { throw .usage("--canary takes hoard") }
    hoards = canary != nil
  }

  func run() throws(HarnessError) -> Int32 {
    let stop = try StopRequest()
    let sidecar = try parameters.sidecar()
    if !parameters.isJSON {
      print("soak: seed \(parameters.seed), 2 clients with SQLite, \(sessions) raw sessions")
      flushStandardOutput()
    }
    let isJSON = parameters.isJSON
    let outcome: SoakRun.Outcome
    do throws(HarnessError) {
      outcome = try SoakRun(
        sidecar: sidecar, seconds: Double(seconds), sessions: sessions, seed: parameters.seed,
        hoards: hoards, stop: stop
      ) { interval in
        guard !isJSON else { return }
        print(SoakMode.text(interval))
        flushStandardOutput()
      }.run()
    } catch {
      sidecar.stop()
      throw error
    }
    if let ending = sidecar.stop() { throw .difference("the sidecar: \(ending)") }
    if isJSON {
      print(json(outcome).written(depth: 2))
    } else {
      print(
        "soak: nothing grows; \(outcome.replaced) clients were killed and replaced; "
          + "\(outcome.before.descriptors) descriptors before, \(outcome.after.descriptors) after; "
          + "\(outcome.before.kibibytes.short) KiB before, \(outcome.after.kibibytes.short) after")
    }
    return 0
  }

  private static func text(_ interval: SoakRun.Interval) -> String {
    let latencies = interval.latencies
    let times = [0.5, 0.99, 0.999].map {
      durationText(nanoseconds: Double(latencies.percentile($0)))
    }
    return [
      "\(interval.seconds.fixed(1)) s".leftPadded(to: 9),
      "\(interval.usage.kibibytes.short) KiB".leftPadded(to: 12),
      "\(interval.usage.descriptors) descriptors".leftPadded(to: 16),
      "\(interval.usage.threads) threads".leftPadded(to: 11),
      "\(interval.operationsPerSecond.short) operations/s".leftPadded(to: 22),
      "  p50 \(times[0]), p99 \(times[1]), p99.9 \(times[2])",
      "\(interval.transactionsPerSecond.short) transactions/s".leftPadded(to: 24),
    ].joined()
  }

  private func json(_ outcome: SoakRun.Outcome) -> JSON {
    func members(_ usage: SoakRun.Usage) -> [(String, JSON)] {
      [
        ("kibibytes", .number(usage.kibibytes)),
        ("descriptors", .integer(Int64(usage.descriptors))),
        ("threads", .integer(Int64(usage.threads))),
      ]
    }
    return .object([
      ("mode", .text("soak")), ("seed", .integer(Int64(bitPattern: parameters.seed))),
      ("replaced", .integer(Int64(outcome.replaced))),
      ("before", .object(members(outcome.before))), ("after", .object(members(outcome.after))),
      (
        "intervals",
        .array(
          outcome.intervals.map { interval in
            .object(
              [("seconds", .number(interval.seconds))] + members(interval.usage) + [
                ("operations_per_second", .number(interval.operationsPerSecond)),
                ("p50_ns", .integer(interval.latencies.percentile(0.5))),
                ("p99_ns", .integer(interval.latencies.percentile(0.99))),
                ("p999_ns", .integer(interval.latencies.percentile(0.999))),
                ("transactions_per_second", .number(interval.transactionsPerSecond)),
              ])
          })
      ),
    ])
  }
}
