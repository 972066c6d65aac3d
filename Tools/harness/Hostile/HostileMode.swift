// sluice-harness hostile, as its user sees it.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem

struct HostileMode: HarnessMode {
  private let parameters: HarnessParameters
  private let sessions: Int
  private let words: Int
  private let visits: Int
  private let seconds: Int
  private let ratioMaximum: Double?

  /// No file of a hostile session grows beyond this, because there are thousands of them.
  private static let fileByteCountMaximum = 8 << 20

  init(_ options: inout Options, _ parameters: HarnessParameters) throws(CommandError) {
    self.parameters = parameters
    sessions = try options.number("--sessions", in: 1...ModelLimits.sessions, or: 4)
    words = try options.number("--words", in: 0...1_000_000_000_000, or: 0)
    visits = try options.number("--handshakes", in: 0...1_000_000_000, or: 0)
    seconds = try options.number("--seconds", in: 1...1_000_000, or: 10)
    ratioMaximum = try options.value("--ratio-max").map { (text) throws(CommandError) in
      guard let number = Double(text), number > 0 else {
        throw .usage("--ratio-max takes a number above 0")
      }
      return number
    }
  }

  func run() throws(HarnessError) -> Int32 {
    let stop = try StopRequest()
    let sidecar: HarnessSidecar
    if let socket = parameters.socket {
      sidecar = try HarnessSidecar(socket: socket)
    } else {
      sidecar = try HarnessSidecar(
        startedBelow: parameters.directory, options: ["--read-window", "4"],
        fileByteCountMaximum: HostileMode.fileByteCountMaximum)
    }
    if !parameters.isJSON {
      print("hostile: seed \(parameters.seed), 1 hostile and \(sessions) honest sessions")
      flushStandardOutput()
    }
    let outcome: HostileRun.Outcome
    do throws(HarnessError) {
      outcome = try HostileRun(
        sidecar: sidecar, honestSessions: sessions, seconds: Double(seconds), words: words,
        visits: visits, seed: parameters.seed, stop: stop
      ).run()
    } catch {
      sidecar.stop()
      throw error
    }
    if let ending = sidecar.stop() { throw .difference("the sidecar: \(ending)") }
    if parameters.isJSON { print(json(outcome).written(depth: 2)) } else { print(text(outcome)) }
    if let ratioMaximum, outcome.honest.ratio(0.99) > ratioMaximum {
      throw .difference(
        "honest sessions' p99 is \(outcome.honest.ratio(0.99).short) times that without the hostile one"
      )
    }
    return 0
  }

  private func text(_ outcome: HostileRun.Outcome) -> String {
    var lines = [
      "hostile: \(grouped(UInt64(outcome.words))) words in \(outcome.seconds.short) s, "
        + "\(grouped(UInt64(outcome.lives))) lives, "
        + "\(grouped(UInt64(outcome.visits))) malformed handshakes",
      "honest: \(grouped(UInt64(outcome.honest.done))) operations, no difference",
    ]
    for (name, fraction) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
      let times = [false, true].map {
        let latencies = outcome.honest.latencies(beside: $0)
        return durationText(nanoseconds: Double(latencies.percentile(fraction)))
      }
      lines.append(
        "  \(name): \(times[0]) without, \(times[1]) beside the hostile session, "
          + "ratio \(outcome.honest.ratio(fraction).short) (median of neighbouring phases)")
    }
    lines.append(
      outcome.hasSentinels
        ? "outside the root: nothing touched"
        : "outside the root: not watched, because this process cannot write there")
    if let descriptors = outcome.descriptors, let memory = outcome.kibibytes {
      lines.append(
        "sidecar: \(descriptors.before) descriptors before, \(descriptors.after) after; "
          + "\(memory.before.short) KiB before, \(memory.after.short) after")
    }
    return lines.joined(separator: "\n")
  }

  private func json(_ outcome: HostileRun.Outcome) -> JSON {
    func latencies(beside hostile: Bool) -> JSON {
      let histogram = outcome.honest.latencies(beside: hostile)
      return .object([
        ("operations", .integer(Int64(histogram.count))),
        ("p50_ns", .integer(histogram.percentile(0.5))),
        ("p99_ns", .integer(histogram.percentile(0.99))),
        ("p999_ns", .integer(histogram.percentile(0.999))),
        ("max_ns", .integer(histogram.nanosecondsMaximum)),
      ])
    }
    return .object([
      ("mode", .text("hostile")), ("seed", .integer(Int64(bitPattern: parameters.seed))),
      ("seconds", .number(outcome.seconds)), ("words", .integer(Int64(outcome.words))),
      ("lives", .integer(Int64(outcome.lives))), ("handshakes", .integer(Int64(outcome.visits))),
      ("honest_operations", .integer(Int64(outcome.honest.done))),
      ("without", latencies(beside: false)), ("beside", latencies(beside: true)),
      ("p99_ratio", .number(outcome.honest.ratio(0.99))),
      ("sentinels", .integer(outcome.hasSentinels ? 1 : 0)),
      ("descriptors_before", outcome.descriptors.map { .integer(Int64($0.before)) } ?? .null),
      ("descriptors_after", outcome.descriptors.map { .integer(Int64($0.after)) } ?? .null),
    ])
  }
}
