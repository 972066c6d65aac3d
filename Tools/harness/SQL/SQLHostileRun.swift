// sluice-harness sql hostile: one session writes nonsense into SQL requests, into both regions, and
// into pages that the engine is writing, while another session works. The engine lives, the other
// session's answers are right, and the engine's memory stays bounded.

internal import CSluice
internal import SluiceSystem
internal import SluiceWire
internal import Synchronization
internal import ToolSupport

/// What the threads of the run see.
private final class HostileSQLBoard: @unchecked Sendable {
  let isOver = Atomic<Bool>(false)
  let words = Atomic<Int>(0)
  let requests = Atomic<Int>(0)
  let honest = Atomic<Int>(0)
  let wrong = FutexLock<String?>(nil)
  /// The channel that the second thread scribbles on.
  let channel = FutexLock<RawChannel?>(nil)

  func fail(_ text: String) { wrong.withLock { if $0 == nil { $0 = text } } }
}

struct SQLHostileRun {
  let parameters: HarnessParameters
  let seconds: Int
  let stop: StopRequest

  struct Outcome {
    var requests = 0
    var words = 0
    var lives = 0
    var honest = 0
    var kibibytes: [Int] = []
  }

  func run() throws(HarnessError) -> Outcome {
    try HarnessEngine.use(below: parameters.directory) { (engine) throws(HarnessError) in
      try run(on: engine)
    }
  }

  private func run(on engine: HarnessEngine) throws(HarnessError) -> Outcome {
    let board = HostileSQLBoard()
    let seed = parameters.seed
    let socket = engine.socket
    let threads = try needed("threads") { () throws(Errno) in
      [
        JoinableThread(try Thread("honest") { work(socket, board) }),
        JoinableThread(try Thread("scribbler") { scribble(board, seed: seed &+ 1) }),
      ]
    }
    defer {
      board.isOver.store(true, ordering: .releasing)
      for thread in threads { thread.join() }
    }
    var session = HostileSQLSession(seed: seed)
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
    _ session: inout HostileSQLSession, _ socket: String, _ board: HostileSQLBoard
  ) throws(HarnessError) {
    let raw = try RawSession(socket)
    let request = SQLOpenRequest(
      path: Array(session.path().utf8), mode: .either, options: [], busyMilliseconds: 0)
    if try raw.ask(.sqlOpen, request).status == nil { throw .difference("sqlOpen: no status") }
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
      if let statement = session.learn(answer), statement > 1 << 40, !scribbles {
        throw .difference("statement \(statement)")
      }
    }
    raw.vanish()
  }
}

/// The honest session: its answers must be right whatever happens beside it.
private func work(_ socket: String, _ board: HostileSQLBoard) {
  do throws(HarnessError) {
    let side = try EngineSide(socket, path: "honest.db", busyMilliseconds: 10_000)
    func expect(_ sql: String, _ values: [SQLValue], _ rows: [[SQLValue]]) throws(HarnessError) {
      let result = try side.result(sql, values)
      if result.code != 0 || result.rows != rows { throw .difference("\(sql): \(result.text)") }
    }
    try expect("CREATE TABLE t(k INTEGER PRIMARY KEY, a)", [], [])
    var number: Int64 = 0
    while !board.isOver.load(ordering: .acquiring) {
      number += 1
      let text = SQLValue.text(Array("row \(number)".utf8))
      try expect("INSERT INTO t VALUES(?, ?)", [.integer(number % 1000), text], [])
      try expect("SELECT a FROM t WHERE k = ?", [.integer(number % 1000)], [[text]])
      let count = SQLValue.integer(1)
      try expect("SELECT count(*) FROM t", [], [[count]])
      try expect("DELETE FROM t", [], [])
      board.honest.add(1, ordering: .relaxed)
    }
  } catch { board.fail(error.text) }
}

private func scribble(_ board: HostileSQLBoard, seed: UInt64) {
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
