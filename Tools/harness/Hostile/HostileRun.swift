// A hostile run: honest sessions all the time, and the hostile one in every other phase. So other
// work on the machine disturbs both kinds of phase alike.

internal import CSluice
@unsafe @preconcurrency internal import Glibc
internal import SluiceCommand
internal import SluiceSystem
internal import SluiceWire
internal import ToolSupport

struct HostileRun {
  let sidecar: HarnessSidecar
  let honestSessions: Int
  let seconds: Double
  /// The run lasts until there were at least so many words and visits.
  let words: Int
  let visits: Int
  let seed: UInt64
  let stop: StopRequest

  struct Outcome {
    var seconds: Double = 0
    var words = 0
    var lives = 0
    var visits = 0
    var honest = HonestWorker.Result()
    var hasSentinels = false
    /// Of the sidecar without sessions, before and after the run. Nil for the user's sidecar.
    var descriptors: (before: Int, after: Int)?
    var kibibytes: (before: Double, after: Double)?
  }

  private static let phaseNanoseconds: Int64 = 500_000_000
  /// Between phases, so that the effects of the phase before wear off.
  private static let pauseNanoseconds: Int64 = 50_000_000

  private var tag: String { ModelRun.tag(seed) + "x-" }

  func run() throws(HarnessError) -> Outcome {
    let visitor = try ModelDriver(socket: sidecar.socket, tag: tag, sessions: 1, canary: nil)
    let root = visitor.rootPath
    try visitor.finish()
    let sentinels = SentinelTree(besideRoot: root, tag: tag)
    defer {
      sentinels?.remove()
      sweep(root, all: true)
    }
    var outcome = Outcome()
    outcome.hasSentinels = sentinels != nil
    let before = usage()
    try measure(sentinels, root, &outcome)
    try lookForLeftovers(root)
    if let sentinels, let damage = sentinels.damage() {
      throw .difference("outside the root: \(damage)")
    }
    if let before, let after = settledUsage(below: before.descriptors + 4) {
      outcome.descriptors = (before.descriptors, after.descriptors)
      outcome.kibibytes = (before.kibibytes, after.kibibytes)
      if after.descriptors > before.descriptors + 4 {
        throw .difference(
          "the sidecar has \(after.descriptors) descriptors open, not \(before.descriptors)")
      }
    }
    return outcome
  }

  // MARK: Phases

  private func measure(
    _ sentinels: SentinelTree?, _ root: String, _ outcome: inout Outcome
  ) throws(HarnessError) {
    let worker = HonestWorker(socket: sidecar.socket, sessions: honestSessions, seed: seed)
    let board = HostileBoard()
    let paths = sentinels?.paths(tag: tag) ?? ["..", "/", "../x", "/etc/passwd"]
    let (socket, seed, tag) = (sidecar.socket, seed, tag)
    let honest = try needed("thread") { () throws(Errno) in
      try Thread("honest") { worker.run() }
    }
    let first = try needed("thread") { () throws(Errno) in
      try Thread("hostile") {
        giveWay()
        var session = HostileSession(
          socket: socket, board: board, seed: seed &+ 2, tag: tag, badPaths: paths)
        session.run()
      }
    }
    let second = try needed("thread") { () throws(Errno) in
      try Thread("scribbler") {
        giveWay()
        var scribbler = HostileScribbler(board: board, seed: seed &+ 3)
        scribbler.run()
      }
    }
    var failure: HarnessError?
    do throws(HarnessError) {
      try alternate(worker, board, sentinels, root, &outcome)
    } catch {
      failure = error
    }
    board.isActive.store(false, ordering: .relaxed)
    board.isStopping.store(true, ordering: .relaxed)
    worker.stop()
    first.join()
    second.join()
    honest.join()
    outcome.honest = worker.outcome
    outcome.words = board.words.load(ordering: .relaxed)
    outcome.lives = board.lives.load(ordering: .relaxed)
    outcome.visits = board.visits.load(ordering: .relaxed)
    try judge(failure, worker, board)
  }

  private func judge(
    _ failure: HarnessError?, _ worker: HonestWorker, _ board: HostileBoard
  ) throws(HarnessError) {
    if let ending = sidecar.howItEnded() { throw .difference("the sidecar ended: \(ending)") }
    if case .interrupted? = failure { throw .interrupted }
    switch worker.outcome.failure {
    case .difference(let text): throw .difference("an honest session: \(text)")
    case .some(let other): throw other
    case nil: break
    }
    if let failure = board.firstFailure ?? failure { throw failure }
  }

  private func alternate(
    _ worker: HonestWorker, _ board: HostileBoard, _ sentinels: SentinelTree?, _ root: String,
    _ outcome: inout Outcome
  ) throws(HarnessError) {
    let progress = Progress()
    defer { progress.clear() }
    let start = Clock.monotonicNanoseconds()
    var phase = 0
    try rest(HostileRun.pauseNanoseconds * 4, worker, board)
    while true {
      let isHostile = phase & 1 == 1
      board.isActive.store(isHostile, ordering: .relaxed)
      try rest(HostileRun.pauseNanoseconds, worker, board)
      worker.enter(phase)
      try rest(HostileRun.phaseNanoseconds, worker, board)
      worker.enter(HonestWorker.between)
      board.isActive.store(false, ordering: .relaxed)
      outcome.seconds = Double(Clock.monotonicNanoseconds() - start) / 1e9
      let words = board.words.load(ordering: .relaxed)
      progress.show(
        "hostile: \(Int(outcome.seconds)) of \(Int(seconds)) s, \(grouped(UInt64(words))) words")
      if isHostile {
        if let damage = sentinels?.damage() { throw .difference("outside the root: \(damage)") }
        sentinels?.makeLinks()
        sidecar.shortenLog()
        sweep(root, all: false)
        let visits = board.visits.load(ordering: .relaxed)
        if outcome.seconds >= seconds, words >= self.words, visits >= self.visits { return }
      }
      phase += 1
    }
  }

  /// Waits, and throws as soon as something is wrong.
  private func rest(
    _ nanoseconds: Int64, _ worker: HonestWorker, _ board: HostileBoard
  ) throws(HarnessError) {
    let end = Clock.monotonicNanoseconds() + nanoseconds
    while Clock.monotonicNanoseconds() < end {
      Clock.sleep(nanoseconds: 10_000_000)
      try stop.check()
      if let ending = sidecar.howItEnded() { throw .difference("the sidecar ended: \(ending)") }
      if worker.isFailed || board.isFailed { throw .difference("a session was disturbed") }
    }
  }

  // MARK: Afterwards

  /// Removes the files that hostile paths made in our own root.
  private func sweep(_ root: String, all: Bool) {
    guard sidecar.path != nil || all else { return }
    let honest = ModelRun.tag(seed) + "h-"
    for name in (try? unsafe namesInDirectory(zeroTerminated(root))) ?? [] {
      let text = String(decoding: name, as: UTF8.self)
      let isOurs = sidecar.path != nil ? !text.hasPrefix(honest) : text.hasPrefix(tag)
      let isLink = SentinelTree.linkNames.contains { text == tag + $0 }
      guard isOurs, all || !isLink else { continue }
      let path =
        zeroTerminated(root).dropLast() + zeroTerminated("/").dropLast()
        + name.map { CChar(bitPattern: $0) } + [0]
      _ = unsafe unlink(Array(path))
    }
  }

  /// After the hostile session is gone: no lock is held on the files that it had open.
  private func lookForLeftovers(_ root: String) throws(HarnessError) {
    let session = try RawSession(sidecar.socket)
    for number in 0..<6 {
      let path = Array("\(tag)e\(number)".utf8)
      let request = OpenRequest(path: path, kind: .mainDatabase, options: [.readWrite, .create])
      let opened = try session.ask(.open, request)
      guard let file = opened.decoded(as: OpenReply.self)?.file else { continue }
      for level in [LockLevel.shared, .exclusive] {
        let status = try session.ask(.lock, file: file, LockFields(level: level)).status
        guard status == .done else {
          throw .difference(
            "\(level) on a file of the hostile session, which is gone: \(status.wording)")
        }
      }
    }
    try session.leave()
  }

  private func usage() -> (descriptors: Int, kibibytes: Double)? {
    guard sidecar.process > 0 else { return nil }
    let names = try? unsafe namesInDirectory(zeroTerminated("/proc/\(sidecar.process)/fd"))
    guard let names else { return nil }
    let meter = ProcessMeter(process: sidecar.process)
    return (names.count, meter.memoryKibibytes ?? 0)
  }

  /// The sidecar needs some time to end the sessions that hung up.
  private func settledUsage(below limit: Int) -> (descriptors: Int, kibibytes: Double)? {
    for _ in 0..<300 {
      guard let now = usage(), now.descriptors > limit else { break }
      Clock.sleep(nanoseconds: 10_000_000)
    }
    return usage()
  }
}

/// Gives all other threads priority over this one. How much processor time a hostile client takes
/// is the scheduler's affair; the run measures what the client takes from the sidecar.
private func giveWay() {
  _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), id_t(sluice_thread_id()), 19)
}
