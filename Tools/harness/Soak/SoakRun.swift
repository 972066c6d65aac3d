// A long run of mixed work on one sidecar, which watches the sidecar's use of resources: clients
// with SQLite, killed and replaced now and then, and raw sessions that come and go.
//
// The rule: the work stays the same, so the use of resources must stay the same. Of each interval
// the least of ten looks counts, because sessions come and go between the looks. Caches fill in the
// first quarter. After it, the least of the last quarter must not exceed the least of the second
// quarter by more than
//
//   memory       a quarter and 4 MiB
//   descriptors  half as many and 16, because what the sessions have open varies
//   threads      2
//
// and when all clients have left, no more than 4 descriptors may be open that were not open before.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

/// Confined to one thread.
final class SoakRun {
  struct Usage {
    var kibibytes: Double
    var descriptors: Int
    var threads: Int

    func least(_ other: Usage) -> Usage {
      Usage(
        kibibytes: min(kibibytes, other.kibibytes),
        descriptors: min(descriptors, other.descriptors), threads: min(threads, other.threads))
    }
  }

  struct Interval {
    /// Since the run began, at the interval's end.
    var seconds: Double
    var usage: Usage
    var latencies: LatencyHistogram
    var operationsPerSecond: Double
    var transactionsPerSecond: Double
  }

  struct Outcome {
    var intervals: [Interval] = []
    var before: Usage
    var after: Usage
    /// The number of clients that were killed and replaced.
    var replaced = 0
  }

  private static let looksPerInterval = 10
  private static let clients = 2
  private static let hoardedPerInterval = 8

  private let sidecar: HarnessSidecar
  private let seconds: Double
  private let sessions: Int
  private let seed: UInt64
  /// Takes more and more on purpose. The run must find that.
  private let hoards: Bool
  private let stop: StopRequest
  private let show: (Interval) -> Void
  private let workers: WorkerCrew
  private var hoard: [RawSession] = []

  /// The run calls `show` at the end of each interval.
  init(
    sidecar: HarnessSidecar, seconds: Double, sessions: Int, seed: UInt64, hoards: Bool,
    stop: StopRequest, show: @escaping (Interval) -> Void
  ) throws(HarnessError) {
    self.sidecar = sidecar
    self.seconds = seconds
    self.sessions = sessions
    self.seed = seed
    self.hoards = hoards
    self.stop = stop
    self.show = show
    workers = try WorkerCrew(sidecar: sidecar, count: SoakRun.clients)
  }

  func run() throws(HarnessError) -> Outcome {
    let before = try usage()
    var outcome = Outcome(before: before, after: before)
    let raw = SoakSessions(socket: sidecar.socket, sessions: sessions, seed: seed)
    let thread = try needed("thread") { () throws(Errno) in try Thread("soak") { raw.run() } }
    var failure: HarnessError?
    do throws(HarnessError) {
      for worker in 0..<SoakRun.clients { try workers.start(worker, seed: seed) }
      try watch(raw, &outcome)
    } catch {
      failure = error
    }
    raw.stop()
    thread.join()
    workers.killAll()
    hoard = []
    if let failure { throw failure }
    if let failure = raw.whatFailed { throw failure }
    outcome.after = try settledUsage(below: before.descriptors + 4)
    if let growth = SoakRun.growth(outcome) { throw .difference(growth) }
    return outcome
  }

  // MARK: Intervals

  private func watch(_ raw: SoakSessions, _ outcome: inout Outcome) throws(HarnessError) {
    let length = Int64(max(0.25, seconds / 20) * 1e9)
    let start = Clock.monotonicNanoseconds()
    var began = start
    var transactions = workers.transactions
    while Double(began - start) < seconds * 1e9 {
      var least = try usage()
      for look in 1...SoakRun.looksPerInterval {
        let end = began + length * Int64(look) / Int64(SoakRun.looksPerInterval)
        Clock.sleep(nanoseconds: max(0, end - Clock.monotonicNanoseconds()))
        try stop.check()
        if let failure = raw.whatFailed { throw failure }
        try workers.look()
        least = least.least(try usage())
      }
      let now = Clock.monotonicNanoseconds()
      let took = Double(now - began) / 1e9
      let latencies = raw.takeLatencies()
      let done = workers.transactions
      let interval = Interval(
        seconds: Double(now - start) / 1e9, usage: least, latencies: latencies,
        operationsPerSecond: Double(latencies.count) / took,
        transactionsPerSecond: Double(done - transactions) / took)
      transactions = done
      began = now
      outcome.intervals.append(interval)
      show(interval)
      // One client after the other is killed and replaced.
      let victim = outcome.intervals.count % SoakRun.clients
      workers.kill(victim)
      try workers.start(victim, seed: seed &+ UInt64(outcome.intervals.count))
      outcome.replaced += 1
      for _ in 0..<(hoards ? SoakRun.hoardedPerInterval : 0) {
        hoard.append(try RawSession(sidecar.socket))
      }
    }
  }

  // MARK: Use of resources

  private func usage() throws(HarnessError) -> Usage {
    if let ending = sidecar.howItEnded() { throw .difference("the sidecar ended: \(ending)") }
    func count(_ directory: String) -> Int {
      let path = zeroTerminated("/proc/\(sidecar.process)/\(directory)")
      return ((try? unsafe namesInDirectory(path)) ?? []).count
    }
    return Usage(
      kibibytes: ProcessMeter(process: sidecar.process).memoryKibibytes ?? 0,
      descriptors: count("fd"), threads: count("task"))
  }

  /// The sidecar needs some time to end the sessions that hung up.
  private func settledUsage(below limit: Int) throws(HarnessError) -> Usage {
    for _ in 0..<1000 {
      let now = try usage()
      if now.descriptors <= limit { return now }
      Clock.sleep(nanoseconds: 10_000_000)
    }
    return try usage()
  }

  /// What breaks the rule, or nil.
  static func growth(_ outcome: Outcome) -> String? {
    let count = outcome.intervals.count
    guard count >= 4 else { return nil }
    func least(_ range: Range<Int>) -> Usage {
      outcome.intervals[range].dropFirst().reduce(outcome.intervals[range.lowerBound].usage) {
        $0.least($1.usage)
      }
    }
    let early = least(count / 4..<count / 2)
    let late = least(count * 3 / 4..<count)
    if late.kibibytes > early.kibibytes * 1.25 + 4096 {
      return "memory grows: \(early.kibibytes.short) KiB in the second quarter, "
        + "\(late.kibibytes.short) in the last"
    }
    if late.descriptors > early.descriptors * 3 / 2 + 16 {
      return "descriptors grow: \(early.descriptors) in the second quarter, "
        + "\(late.descriptors) in the last"
    }
    if late.threads > early.threads + 2 {
      return "threads grow: \(early.threads) in the second quarter, \(late.threads) in the last"
    }
    if outcome.after.descriptors > outcome.before.descriptors + 4 {
      return "after all clients left, \(outcome.after.descriptors) descriptors are open, "
        + "not \(outcome.before.descriptors) as before"
    }
    return nil
  }
}

/// Clients with SQLite that work through one sidecar.
final class WorkerCrew {
  private let board: KillBoard
  private let boardDescriptor: FileDescriptor
  private let lifeline: SocketPair
  private let log: FileDescriptor
  private let socket: String
  private let root: String
  private let program: String
  private let library: String
  private var workers: [DoomedProcess?]

  /// Makes the databases below the root of `sidecar`, which must be one of the harness's own.
  init(sidecar: HarnessSidecar, count: Int) throws(HarnessError) {
    guard let root = sidecar.root, let path = sidecar.path else {
      throw .failed("soak makes its databases only in a root of the harness's own")
    }
    self.root = root
    socket = sidecar.socket
    workers = (0..<count).map { _ in nil }
    do throws(InstallationError) {
      program = try Installation.program()
      library = try Installation.library(beside: program)
    } catch {
      throw .failed(error.text)
    }
    do throws(Errno) {
      boardDescriptor = try FileDescriptor.sealedMemory(
        "sluice-board", byteCount: KillBoard.byteCount(workers: count))
      board = try KillBoard(boardDescriptor, workers: count)
      lifeline = try SocketPair()
      log = try unsafe FileDescriptor.open(
        zeroTerminated(path + "/workers"),
        [.readWrite, .create, OpenFlags(rawValue: UInt64(O_APPEND))], permissions: 0o600)
    } catch {
      throw .system(path, error)
    }
    do throws(ToolError) {
      let sqlite = try SQLiteLibrary()
      for store in KillStore.allCases {
        try store.make(at: root + "/" + store.fileName, workers: count, sqlite)
      }
    } catch {
      throw harnessError(error)
    }
  }

  func start(_ worker: Int, seed: UInt64) throws(HarnessError) {
    board[worker, .state] = WorkerState.starting.rawValue
    workers[worker] = try DoomedProcess(
      [
        "worker", "--worker", "\(worker)", "--workers", "\(workers.count)", "--root", root,
        "--seed", "\(seed >> 2)", "--socket", socket, "--library", library,
      ], program: program, input: lifeline.theirs.rawValue, output: log.rawValue,
      board: boardDescriptor.rawValue)
  }

  func kill(_ worker: Int) {
    workers[worker]?.kill()
    workers[worker] = nil
  }

  func killAll() { for worker in workers.indices { kill(worker) } }

  /// The number of transactions that were acknowledged to all of them.
  var transactions: UInt64 {
    workers.indices.reduce(0) { sum, worker in
      sum + KillStore.allCases.reduce(0) { $0 + board[worker, .acknowledged, $1] }
    }
  }

  /// Throws when something is wrong with a client.
  func look() throws(HarnessError) {
    for worker in workers.indices {
      if board.state(of: worker) == .failed {
        throw .difference("client \(worker): \(board.text(of: worker))")
      }
      if workers[worker]?.endedByItself() ?? false {
        throw .difference("client \(worker) ended by itself")
      }
    }
  }
}
