// sluice-harness sql kill, records kill: clients and engines are killed with SIGKILL at random moments
// while they work. No acknowledged work is lost, none is there in part, no file is corrupt, no client
// hangs, and the next open works.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

/// What the clients do, and what has to hold whenever one looks.
protocol EngineKillWork {
  /// What a client's process is told beside its number, the socket and the seed.
  var words: [String] { get }
  /// Looks through the engine.
  func check(_ engine: HarnessEngine) throws(HarnessError)
  /// Looks at the files of an engine that is dead.
  func checkFiles(_ engine: HarnessEngine) throws(HarnessError)
}

extension EngineKillWork {
  func checkFiles(_ engine: HarnessEngine) throws(HarnessError) {}
}

final class EngineKillRun {
  private let parameters: HarnessParameters
  private let clients: Int
  private let runs: Int
  private let work: any EngineKillWork
  private let stop: StopRequest
  private let engine: HarnessEngine
  private let board: KillBoard
  private let boardDescriptor: SharedDescriptor
  private let lifeline: SocketEnds
  private let program: String
  private var workers: [DoomedProcess?]
  private var random: SplitMix64
  private var outcome = Outcome()
  /// The last acknowledged transaction of each client that was seen, and when.
  private var seen: [(number: UInt64, time: Int64)]

  struct Outcome {
    var clientKills = 0
    var engineKills = 0
    var checks = 0
    var transactions: UInt64 = 0
    /// The longest time from a kill until another client's transaction was acknowledged.
    var recovery = LatencyHistogram()

    /// For the report.
    var members: [(String, JSON)] {
      [
        ("client_kills", .integer(Int64(clientKills))),
        ("engine_kills", .integer(Int64(engineKills))), ("checks", .integer(Int64(checks))),
        ("transactions", .integer(Int64(transactions))),
        ("next_writer_p50_us", .integer(recovery.percentile(0.5) / 1000)),
        ("next_writer_p99_us", .integer(recovery.percentile(0.99) / 1000)),
        ("next_writer_max_us", .integer(recovery.nanosecondsMaximum / 1000)),
      ]
    }
  }

  private struct SocketEnds {
    let ours: SharedDescriptor
    let theirs: SharedDescriptor
  }

  init(
    _ parameters: HarnessParameters, clients: Int, runs: Int, _ work: any EngineKillWork,
    _ stop: StopRequest
  ) throws(HarnessError) {
    self.parameters = parameters
    self.clients = clients
    self.runs = runs
    self.work = work
    self.stop = stop
    random = SplitMix64(seed: parameters.seed)
    workers = Array(repeating: nil, count: clients)
    seen = Array(repeating: (0, Clock.monotonicNanoseconds()), count: clients)
    do throws(InstallationError) { program = try Installation.program() } catch {
      throw .failed(error.text)
    }
    engine = try HarnessEngine(below: parameters.directory)
    let path = engine.root + "/../board"
    let byteCount = KillBoard.byteCount(workers: clients)
    boardDescriptor = try needed(path) { () throws(Errno) in
      let descriptor = try unsafe FileDescriptor.open(
        zeroTerminated(path), [.readWrite, .create], permissions: 0o600)
      _ = ftruncate(descriptor.rawValue, byteCount)
      return SharedDescriptor(descriptor)
    }
    let shared = boardDescriptor
    board = try needed(path) { () throws(Errno) in
      try KillBoard(shared.descriptor, workers: clients)
    }
    lifeline = try needed("sockets") { () throws(Errno) in
      let pair = try SocketPair()
      let theirs = pair.theirs
      return SocketEnds(ours: SharedDescriptor(pair.ours), theirs: SharedDescriptor(theirs))
    }
  }

  func run() throws(HarnessError) -> Outcome {
    do throws(HarnessError) {
      for worker in 0..<clients { try start(worker) }
      for _ in 0..<runs {
        try stop.check()
        Clock.sleep(nanoseconds: Int64(random.below(20_000_000)))
        try look()
        try killOne()
      }
      try settle()
      for worker in 0..<clients { workers[worker]?.kill() }
      try check()
    } catch {
      for worker in workers { worker?.kill() }
      engine.stop(keepingFiles: false)
      throw error
    }
    for worker in 0..<clients {
      outcome.transactions += board[worker, .acknowledged, KillStore.allCases[0]]
    }
    if let ending = engine.stop() { throw .difference(ending) }
    return outcome
  }

  private func start(_ worker: Int) throws(HarnessError) {
    board[worker, .state] = WorkerState.starting.rawValue
    board[worker, .callBegan] = 0
    workers[worker] = try DoomedProcess(
      work.words + [
        "--worker", "\(worker)", "--workers", "\(clients)", "--socket", engine.socket, "--seed",
        "\(random.next() >> 2)",
      ],
      program: program,
      input: lifeline.theirs.descriptor.rawValue, output: 2,
      board: boardDescriptor.descriptor.rawValue)
  }

  private func killOne() throws(HarnessError) {
    let began = Clock.monotonicNanoseconds()
    let before = (0..<clients).map { board[$0, .acknowledged, KillStore.allCases[0]] }
    if random.below(10) < 3 {
      engine.kill()
      outcome.engineKills += 1
      if outcome.engineKills % 10 == 0 { try work.checkFiles(engine) }
      try engine.start()
      if outcome.engineKills % 10 == 0 { try check() }
    } else {
      let worker = random.below(clients)
      workers[worker]?.kill()
      outcome.clientKills += 1
      try start(worker)
      guard clients > 1 else { return }
      // The next writer goes on.
      while !(0..<clients).contains(where: {
        $0 != worker && board[$0, .acknowledged, KillStore.allCases[0]] > before[$0]
      }) {
        try look()
        Clock.sleep(nanoseconds: 50_000)
      }
      outcome.recovery.add(nanoseconds: Clock.monotonicNanoseconds() - began)
    }
  }

  /// Whether a client found something wrong, hangs, or has ended.
  private func look() throws(HarnessError) {
    let now = Clock.monotonicNanoseconds()
    if engine.hasEnded() {
      throw .difference("the engine has ended by itself: \(engine.lastWords)")
    }
    for worker in 0..<clients {
      if board.state(of: worker) == .failed {
        throw .difference("client \(worker): \(board.text(of: worker))")
      }
      if workers[worker]?.endedByItself() ?? false {
        throw .difference("client \(worker) has ended by itself")
      }
      let number = board[worker, .acknowledged, KillStore.allCases[0]]
      if number != seen[worker].number { seen[worker] = (number, now) }
      let call = board[worker, .callBegan]
      if call > 0, now - Int64(call) > 2 * hangNanoseconds {
        throw .difference("a call of client \(worker) hangs")
      }
    }
  }

  /// Each client does one more transaction.
  private func settle() throws(HarnessError) {
    let before = (0..<clients).map { board[$0, .acknowledged, KillStore.allCases[0]] }
    let deadline = Clock.monotonicNanoseconds() + 3 * hangNanoseconds
    while (0..<clients).contains(where: {
      board[$0, .acknowledged, KillStore.allCases[0]] <= before[$0]
    }) {
      try look()
      guard Clock.monotonicNanoseconds() < deadline else {
        throw .difference("a client does not go on")
      }
      Clock.sleep(nanoseconds: 1_000_000)
    }
  }

  private func check() throws(HarnessError) {
    outcome.checks += 1
    try work.check(engine)
  }
}
