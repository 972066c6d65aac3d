// sluice-harness sql hostile, records hostile: one session writes nonsense into requests, into both
// regions, and into pages that the engine is writing, while another session works. The engine lives,
// the other session's answers are right, and the engine's memory stays bounded.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem
internal import Synchronization
internal import ToolSupport

/// The requests of a session that misbehaves.
protocol HostileEngineSession {
  var random: SplitMix64 { get set }
  /// Begins a session as any client does.
  mutating func open(_ raw: RawSession) throws(HarnessError)
  /// Posts one request. The channel has no other.
  mutating func post(on channel: RawChannel)
  /// Takes from an answer what later requests can use; what the engine must never say.
  mutating func learn(_ answer: RawAnswer) -> String?
}

/// What the threads of the run see.
final class EngineHostileBoard: @unchecked Sendable {
  let isOver = Atomic<Bool>(false)
  let words = Atomic<Int>(0)
  let requests = Atomic<Int>(0)
  let honest = Atomic<Int>(0)
  let wrong = FutexLock<String?>(nil)
  /// The channel that the second thread scribbles on.
  let channel = FutexLock<RawChannel?>(nil)

  func fail(_ text: String) { wrong.withLock { if $0 == nil { $0 = text } } }
}

struct EngineHostileRun<Session: HostileEngineSession> {
  let parameters: HarnessParameters
  let seconds: Int
  let stop: StopRequest
  let session: Session
  /// What the honest session does on that socket until the board says that it is over. Its answers must
  /// be right whatever happens beside it.
  let honest: @Sendable (String, EngineHostileBoard) throws(HarnessError) -> Void

  struct Outcome {
    var requests = 0
    var words = 0
    var lives = 0
    var honest = 0
    var kibibytes: [Int] = []

    /// For the report.
    var members: [(String, JSON)] {
      [
        ("requests", .integer(Int64(requests))), ("words", .integer(Int64(words))),
        ("lives", .integer(Int64(lives))), ("honest_transactions", .integer(Int64(honest))),
        ("memory_kib", .array(kibibytes.map { .integer(Int64($0)) })),
      ]
    }
  }

  func run() throws(HarnessError) -> Outcome {
    try HarnessEngine.use(below: parameters.directory) { (engine) throws(HarnessError) in
      try run(on: engine)
    }
  }

  private func run(on engine: HarnessEngine) throws(HarnessError) -> Outcome {
    let board = EngineHostileBoard()
    let seed = parameters.seed
    let socket = engine.socket
    let honest = honest
    let threads = try needed("threads") { () throws(Errno) in
      [
        JoinableThread(
          try Thread("honest") {
            do throws(HarnessError) { try honest(socket, board) } catch { board.fail(error.text) }
          }),
        JoinableThread(try Thread("scribbler") { scribble(board, seed: seed &+ 1) }),
      ]
    }
    defer {
      board.isOver.store(true, ordering: .releasing)
      for thread in threads { thread.join() }
    }
    var session = session
    var outcome = Outcome()
    let began = Clock.monotonicNanoseconds()
    var nextLook = began
    while true {
      try stop.check()
      let now = Clock.monotonicNanoseconds()
      if now >= nextLook {
        nextLook = now + Int64(seconds) * 100_000_000
        outcome.kibibytes.append(engine.memoryKibibytes)
        if now - began > Int64(seconds) * 1_000_000_000 { break }
      }
      outcome.lives += 1
      try live(&session, socket, board)
      if engine.hasEnded() { throw .difference("the engine has ended: \(engine.lastWords)") }
      if let text = board.wrong.withLock({ $0 }) {
        throw .difference("the honest session: \(text)")
      }
    }
    outcome.requests = board.requests.load(ordering: .relaxed)
    outcome.words = board.words.load(ordering: .relaxed)
    outcome.honest = board.honest.load(ordering: .relaxed)
    guard outcome.honest > 0 else { throw .difference("the honest session did nothing") }
    // The first tenth fills caches. What is sent at most: an image, values, rows kept.
    if outcome.kibibytes.count > 4, let last = outcome.kibibytes.last,
      last > outcome.kibibytes[2] + 262_144
    {
      throw .difference("the engine's memory grew: \(outcome.kibibytes) KiB")
    }
    return outcome
  }

  /// One session, until the engine ends it or it is bored.
  private func live(
    _ session: inout Session, _ socket: String, _ board: EngineHostileBoard
  ) throws(HarnessError) {
    let raw = try RawSession(socket)
    try session.open(raw)
    let scribbles = session.random.below(3) == 0
    if scribbles { board.channel.withLock { $0 = raw.home } }
    defer { board.channel.withLock { $0 = nil } }
    for _ in 0..<session.random.below(400) {
      session.post(on: raw.home)
      board.requests.add(1, ordering: .relaxed)
      do throws(HarnessError) { try raw.home.awaitAnswers(raw.socket) } catch {
        // It broke the protocol, or its words did.
        if case .difference(let text) = error, text.contains("no answer within"), !scribbles {
          throw error
        }
        break
      }
      let answer = raw.home.takeAnswer()
      if !scribbles, answer.status == nil {
        throw .difference("status \(answer.slot.return_code)")
      }
      if let wrong = session.learn(answer), !scribbles { throw .difference(wrong) }
    }
    raw.vanish()
  }
}

private func scribble(_ board: EngineHostileBoard, seed: UInt64) {
  var words = HostileWords(seed: seed)
  while !board.isOver.load(ordering: .acquiring) {
    let wrote = board.channel.withLock { channel -> Bool in
      guard let channel else { return false }
      let aims: [HostileAim] = [.payload, .payload, .slots, .arguments, .lines, .everything]
      words.scribble(
        on: channel, aim: aims[words.random.below(aims.count)],
        next: channel.lastAnswered() &+ 1, count: 64)
      return true
    }
    if wrote { board.words.add(64, ordering: .relaxed) }
    Clock.sleep(nanoseconds: wrote ? 1000 : 50_000)
  }
}
