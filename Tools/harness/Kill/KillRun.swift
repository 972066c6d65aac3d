// Kills while SQLite works: some processes do transactions in two databases through one sidecar.
// Again and again, one of them or the sidecar is killed at a random moment.
//
// After each kill the surviving processes go on. Stock SQLite finds both databases whole, with
// every acknowledged transaction, and gets the lock. Chance also decides who recovers first: the
// surviving clients, the clients of the next sidecar, or stock SQLite.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem
internal import Synchronization
internal import ToolSupport

/// The state that the runs side by side share.
final class KillTally: Sendable {
  let kills = Atomic<Int>(0)
  /// One run has failed, so the others may end.
  let hasFailed = Atomic<Bool>(false)
}

/// Confined to one thread.
final class KillRun {
  enum Victim: Int, CaseIterable { case client = 0, sidecar }

  private let sidecar: HarnessSidecar
  private let kills: Int
  private let stockInterval: Int
  private let stop: StopRequest
  /// Of all runs side by side.
  private let tally: KillTally
  /// The workers acknowledge before the commit. The run must find that.
  private let acknowledgesEarly: Bool
  private let socket: String
  private let root: String
  private let program: String
  private let library: String
  private let sqlite: SQLiteLibrary
  private let board: KillBoard
  private let boardDescriptor: FileDescriptor
  private let lifeline: (ours: SharedDescriptor, theirs: SharedDescriptor)
  private let log: FileDescriptor
  private var random: SplitMix64
  private var workers: [DoomedProcess?]
  /// The workers that do not use the sidecar.
  private var isNative: [Bool]
  private var outcome = Outcome()
  /// The last events, for a report.
  private var history: [String] = []

  /// The longest wait of the harness for several steps of other processes.
  private static let patienceNanoseconds: Int64 = 3 * hangNanoseconds

  /// `sidecar` must be one of the harness's own.
  init(
    sidecar: HarnessSidecar, clients: Int, kills: Int, stockInterval: Int, seed: UInt64,
    acknowledgesEarly: Bool, tally: KillTally, stop: StopRequest
  ) throws(HarnessError) {
    self.sidecar = sidecar
    self.kills = kills
    self.stockInterval = stockInterval
    self.tally = tally
    self.stop = stop
    self.acknowledgesEarly = acknowledgesEarly
    guard let root = sidecar.root, let path = sidecar.path else {
      throw .failed("kill needs a sidecar of the harness's own")
    }
    self.root = root
    socket = sidecar.socket
    random = SplitMix64(seed: seed)
    workers = (0..<clients).map { _ in nil }
    isNative = Array(repeating: false, count: clients)
    do throws(InstallationError) {
      program = try Installation.program()
      library = try Installation.library(beside: program)
    } catch {
      throw .failed(error.text)
    }
    boardDescriptor = try needed("board") { () throws(Errno) in
      try FileDescriptor.sealedMemory(
        "sluice-board", byteCount: KillBoard.byteCount(workers: clients))
    }
    board = try KillRun.map(boardDescriptor, workers: clients)
    log = try needed(path) { () throws(Errno) in
      try unsafe FileDescriptor.open(
        zeroTerminated(path + "/workers"),
        [.readWrite, .create, OpenFlags(rawValue: UInt64(O_APPEND))], permissions: 0o600)
    }
    do throws(Errno) {
      let pair = try SocketPair()
      let theirs = pair.theirs
      lifeline = (SharedDescriptor(pair.ours), SharedDescriptor(theirs))
    } catch {
      throw .system("socket pair", error)
    }
    do throws(ToolError) {
      sqlite = try SQLiteLibrary()
      for store in KillStore.allCases {
        try store.make(at: root + "/" + store.fileName, workers: clients, sqlite)
      }
    } catch {
      throw harnessError(error)
    }
  }

  private static func map(
    _ descriptor: borrowing FileDescriptor, workers: Int
  ) throws(HarnessError) -> KillBoard {
    do throws(Errno) { return try KillBoard(descriptor, workers: workers) } catch {
      throw .system("board", error)
    }
  }

  // MARK: The run

  func run() throws(HarnessError) -> Outcome {
    let start = Clock.monotonicNanoseconds()
    defer { for worker in workers { worker?.kill() } }
    for worker in workers.indices { try spawn(worker) }
    var round = 0
    while outcome.count < kills {
      let before = outcome.count
      try awaitAllAtWork()
      let store = KillStore.allCases[random.below(2)]
      // Half of the victims are clients. A sidecar sometimes dies twice.
      if outcome.count(.client) <= outcome.count(.sidecar) {
        try killClient(in: store)
      } else {
        try killSidecar(in: store)
      }
      tally.kills.wrappingAdd(outcome.count - before, ordering: .relaxed)
      if tally.hasFailed.load(ordering: .relaxed) { throw .interrupted }
      round += 1
      if round & 0x3f == 0 { sidecar.shortenLog() }
    }
    try awaitAllAtWork()
    try pauseAll()
    try check(waits: true)
    for worker in workers.indices {
      for store in KillStore.allCases {
        outcome.transactions += board[worker, .acknowledged, store]
      }
      outcome.longestCall = max(outcome.longestCall, board[worker, .longestCall])
      outcome.slowCalls += board[worker, .slowCalls]
      outcome.disconnections += board[worker, .disconnections]
    }
    outcome.nanoseconds = Clock.monotonicNanoseconds() - start
    return outcome
  }

  // MARK: Kills

  private func killClient(in store: KillStore) throws(HarnessError) {
    let victim = random.below(workers.count)
    // Now and then only stock SQLite is left to recover.
    let isAlone = random.once(in: 4)
    if isAlone { try pauseAll(but: victim) }
    try aim(at: victim, in: store)
    let others = workers.indices.filter { $0 != victim }
    let before = Clock.monotonicNanoseconds()
    workers[victim]?.kill()
    let killedAt = Clock.monotonicNanoseconds()
    outcome.slowestDeath = max(outcome.slowestDeath, killedAt - before)
    note(.client, aimedAt: victim)
    board[victim, .callBegan] = 0
    if !isAlone { try awaitTransactions(of: others, in: store, "a client was killed") }
    if !isAlone {
      outcome.recoveries[Victim.client.rawValue].add(
        nanoseconds: Clock.monotonicNanoseconds() - killedAt)
      try pauseAll(but: victim)
    } else {
      noteHotJournal()
    }
    board.command(.pause, to: victim)
    try spawn(victim)
    try check(waits: true)
    workAll()
  }

  private func killSidecar(in store: KillStore) throws(HarnessError) {
    try aim(at: random.below(workers.count), in: store)
    killSidecarNow()
    let killedAt = Clock.monotonicNanoseconds()
    // Now and then the next sidecar dies too, while all clients come back.
    if random.once(in: 8) {
      try startSidecar()
      try rest(Int64(random.below(20_000_000)))
      killSidecarNow()
    }
    let stockIsFirst = random.once(in: 2)
    if stockIsFirst {
      try pauseAll()
      try expectNoLocks()
      noteHotJournal()
      try check(waits: false)
      workAll()
    }
    try startSidecar()
    try awaitAllAtWork()
    try awaitTransactions(of: Array(workers.indices), in: store, "a sidecar was killed")
    outcome.recoveries[Victim.sidecar.rawValue].add(
      nanoseconds: Clock.monotonicNanoseconds() - killedAt)
    if !stockIsFirst {
      try pauseAll()
      try check(waits: true)
      workAll()
    }
  }

  private func killSidecarNow() {
    // First, so that no worker takes the sidecar's death for its own fault.
    board.sidecarEpoch += 1
    let before = Clock.monotonicNanoseconds()
    sidecar.killNow()
    outcome.slowestDeath = max(outcome.slowestDeath, Clock.monotonicNanoseconds() - before)
    note(.sidecar, aimedAt: aimed)
  }

  /// The worker whose transaction the kill aimed at.
  private var aimed = 0

  private func remember(_ event: String) {
    if history.count == 24 { history.removeFirst() }
    history.append(event)
  }

  private func note(_ victim: Victim, aimedAt worker: Int) {
    remember("killed a \(victim): \(states)")
    let store = Int(board[worker, .store])
    let phase = board[worker, .callBegan] == 0 ? 0 : Int(board[worker, .phase])
    outcome.kills[victim.rawValue][min(1, store)][min(3, phase)] += 1
    if victim == .client, isNative[worker] { outcome.nativeKills += 1 }
  }

  /// Waits, but not for long, until `worker` comes to a random phase of a transaction in `store`.
  /// Then waits until a random moment.
  private func aim(at worker: Int, in store: KillStore) throws(HarnessError) {
    aimed = worker
    let phase = [TransactionPhase.begin, .statements, .commit][random.below(3)]
    let end = Clock.monotonicNanoseconds() + 5_000_000
    func isThere() -> Bool {
      board[worker, .store] == UInt64(store.rawValue) && board[worker, .phase] == phase.rawValue
    }
    // A short phase may be missed again and again. Then the kill hits any other phase.
    while !isThere(), Clock.monotonicNanoseconds() < end { yieldProcessor() }
    // Short times are as frequent as long ones: from 4 µs to 2 ms.
    try rest(Int64(random.below(4096 << random.below(10))))
  }

  private func rest(_ nanoseconds: Int64) throws(HarnessError) {
    let end = Clock.monotonicNanoseconds() + nanoseconds
    if nanoseconds > 200_000 { Clock.sleep(nanoseconds: nanoseconds - 100_000) }
    while Clock.monotonicNanoseconds() < end { spinHint() }
  }

  // MARK: The processes that are killed

  /// The options of sidecars: each life of a sidecar gets other ones.
  private static let sidecarOptions: [[String]] = [
    [], ["--reactors", "2"], ["--no-standing-locks"], ["--no-posted-writes", "--reactors", "2"],
    ["--read-window", "0", "--no-owned-knowledge"],
  ]
  /// In half of the lives: commits share a sync only where it takes a while.
  private static let slowSync = ["--sync-delay", "1"]

  private func startSidecar() throws(HarnessError) {
    let options =
      KillRun.sidecarOptions[random.below(KillRun.sidecarOptions.count)]
      + (random.once(in: 2) ? KillRun.slowSync : [])
    remember("started a sidecar " + options.joined(separator: " "))
    try sidecar.start(options: options)
    board.sidecarEpoch += 1
  }

  private func spawn(_ worker: Int) throws(HarnessError) {
    // Now and then the last worker is a stock program that uses the same databases.
    isNative[worker] = worker > 0 && worker == workers.count - 1 && random.once(in: stockInterval)
    if isNative[worker] { remember("worker \(worker) is stock SQLite") }
    board[worker, .state] = WorkerState.starting.rawValue
    board[worker, .callBegan] = 0
    board[worker, .phase] = TransactionPhase.between.rawValue
    let words = [
      "worker", "--worker", "\(worker)", "--workers", "\(workers.count)", "--root", root, "--seed",
      "\(random.next() >> 2)",
    ]
    workers[worker] = try DoomedProcess(
      words
        + (isNative[worker]
          ? ["--rest", "1000"] : ["--socket", socket, "--library", library])
        + (acknowledgesEarly ? ["--acknowledge-early"] : []),
      program: program, input: lifeline.theirs.descriptor.rawValue, output: log.rawValue,
      board: boardDescriptor.rawValue)
  }

  private func workAll() { for worker in workers.indices { board.command(.work, to: worker) } }

  /// Lets all other workers finish their transactions; those whose sidecar is dead wait.
  private func pauseAll(but exception: Int = -1) throws(HarnessError) {
    let others = workers.indices.filter { $0 != exception }
    for worker in others { board.command(.pause, to: worker) }
    try wait(for: "clients to pause") {
      others.allSatisfy {
        board.state(of: $0) == .paused
          || board.state(of: $0) == .disconnected && sidecar.process == 0
      }
    }
  }

  private func awaitAllAtWork() throws(HarnessError) {
    try wait(for: "clients to be at work") {
      workers.indices.allSatisfy { board.state(of: $0) == .working }
    }
  }

  /// Waits until each client has got the acknowledgement of a transaction that it began after this
  /// call.
  private func awaitTransactions(
    of clients: [Int], in store: KillStore, _ why: String
  ) throws(HarnessError) {
    let begun = clients.map { board[$0, .begun, store] }
    try wait(for: "transactions after \(why)") {
      zip(clients, begun).allSatisfy { board[$0, .acknowledged, store] > $1 }
    }
  }

  // MARK: Waiting

  /// Waits for the steps of other processes. Throws when something is wrong with one, or when it
  /// hangs.
  private func wait(for what: String, _ condition: () -> Bool) throws(HarnessError) {
    let deadline = Clock.monotonicNanoseconds() + KillRun.patienceNanoseconds
    let pause: Int64 = 50_000
    for _ in 0..<20 {
      if condition() { return }
      yieldProcessor()
    }
    while !condition() {
      let before = Clock.monotonicNanoseconds()
      Clock.sleep(nanoseconds: pause)
      let now = Clock.monotonicNanoseconds()
      outcome.lateness = max(outcome.lateness, now - before - pause)
      try look(now)
      if now > deadline {
        throw .difference("\(what): not within 30 s; \(states)")
      }
    }
  }

  private func look(_ now: Int64) throws(HarnessError) {
    try stop.check()
    if let ending = sidecar.process > 0 ? sidecar.howItEnded() : nil {
      throw .difference("the sidecar ended: \(ending)")
    }
    for worker in workers.indices {
      if board.state(of: worker) == .failed {
        throw .difference(
          "worker \(worker): \(board.text(of: worker)); \(states); before: "
            + history.joined(separator: " | "))
      }
      if workers[worker]?.endedByItself() ?? false {
        throw .difference("worker \(worker) ended by itself; \(states)")
      }
      let began = Int64(board[worker, .callBegan])
      if began > 0, now - began > hangNanoseconds {
        throw .difference("worker \(worker) hangs in a call for over 10 s; \(states)")
      }
    }
  }

  /// The present work of all workers, for a report.
  private var states: String {
    let now = Clock.monotonicNanoseconds()
    return workers.indices.map { worker in
      let phase = TransactionPhase(rawValue: board[worker, .phase]) ?? .between
      let store = KillStore(rawValue: Int(board[worker, .store]))?.name ?? "?"
      let began = Int64(board[worker, .callBegan])
      let age = began == 0 ? "" : " for \(durationText(nanoseconds: Double(now - began)))"
      return "worker \(worker)\(isNative[worker] ? " (stock)" : "") is "
        + "\(board.state(of: worker)), in \(store) \(phase)\(age)"
        + (board[worker, .disconnections] > 0 ? ", was told '\(board.text(of: worker))'" : "")
    }.joined(separator: "; ")
  }

  // MARK: Checks

  /// Lets stock SQLite check both databases. Without `waits`, all others must be dead or idle, so
  /// that no lock is in its way.
  private func check(waits: Bool) throws(HarnessError) {
    outcome.checks += 1
    remember(waits ? "stock SQLite looks, waiting for locks" : "stock SQLite looks, all are dead")
    for store in KillStore.allCases {
      do throws(ToolError) {
        let connection = try SQLiteConnection(
          sqlite, Target(path: root + "/" + store.fileName))
        connection.setBusyTimeout(
          milliseconds: waits ? Int32(hangNanoseconds / 1_000_000) : 0)
        if let damage = try KillAudit(store: store, board: board).damage(connection) {
          // A fault that lasts only a moment has another cause than a lasting one.
          Clock.sleep(nanoseconds: 500_000_000)
          let again =
            try KillAudit(store: store, board: board).damage(connection)
            ?? "nothing is wrong any more"
          throw .failed("\(damage); half a second later: \(again)")
        }
        connection.setBusyTimeout(milliseconds: 0)
        try lock(connection, waits: waits)
      } catch {
        throw .difference(
          "\(store.fileName): \(harnessError(error).text); \(states); before: "
            + history.joined(separator: " | "))
      }
    }
  }

  private func lock(_ connection: SQLiteConnection, waits: Bool) throws(ToolError) {
    let start = Clock.monotonicNanoseconds()
    while true {
      do throws(ToolError) {
        try connection.execute("BEGIN EXCLUSIVE")
        break
      } catch {
        let now = Clock.monotonicNanoseconds()
        guard waits, now - start < hangNanoseconds else { throw error }
        Clock.sleep(nanoseconds: 100_000)
      }
    }
    if waits { outcome.lockWaits.add(nanoseconds: Clock.monotonicNanoseconds() - start) }
    try connection.execute("COMMIT")
  }

  /// Notes whether there is a journal that must be rolled back.
  private func noteHotJournal() {
    let path = zeroTerminated(root + "/" + KillStore.delete.journalName)
    guard let file = try? unsafe FileDescriptor.open(path, .readOnly) else { return }
    var first: UInt8 = 0
    let count = unsafe withUnsafeMutableBytes(of: &first) { (byte) in
      (try? unsafe file.read(into: byte, at: 0)) ?? 0
    }
    if count == 1, first != 0 { outcome.hotJournals += 1 }
  }

  /// Checks that no file of the root is locked while the sidecar is dead and the clients are idle.
  /// Stock SQLite may hold its locks on the index while it has a database in WAL mode open.
  private func expectNoLocks() throws(HarnessError) {
    let natives = workers.indices.filter { isNative[$0] }.compactMap { workers[$0]?.id }
    let left = LockList.locks(below: root).first { !natives.contains($0.process) }
    if let left { throw .difference("all are dead, but \(left.text)") }
  }
}
