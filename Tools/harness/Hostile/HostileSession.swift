// The hostile session: it lives, is thrown out, and connects again. In each life it opens some
// files as other clients do. Then it misbehaves in one way until the sidecar ends the session,
// while a second thread spoils the memory that the sidecar is reading.

internal import CSluice
internal import SluiceSystem
internal import SluiceWire
internal import Synchronization

/// A life of the hostile session. Two threads write to its memory without order, on purpose. The
/// first thread writes the requests; both write the sequences, and the last write counts.
final class HostileLife: @unchecked Sendable {
  let session: RawSession
  /// The channel on which it misbehaves: the home channel, or another one, where locks may stand.
  let channel: RawChannel
  let aim: HostileAim

  init(_ session: RawSession, _ channel: RawChannel, _ aim: HostileAim) {
    self.session = session
    self.channel = channel
    self.aim = aim
  }

  var isOver: Bool { session.socket.peerIsGone() }
}

/// The state that both hostile threads share, and their counts.
final class HostileBoard: Sendable {
  let isActive = Atomic<Bool>(false)
  let isStopping = Atomic<Bool>(false)
  let words = Atomic<Int>(0)
  let lives = Atomic<Int>(0)
  let visits = Atomic<Int>(0)
  private let life = FutexLock<HostileLife?>(nil)
  private let failure = FutexLock<HarnessError?>(nil)
  private let failed = Atomic<Bool>(false)

  var current: HostileLife? { life.withLock { $0 } }
  func show(_ new: HostileLife?) { life.withLock { $0 = new } }

  var isFailed: Bool { failed.load(ordering: .relaxed) }
  var firstFailure: HarnessError? { failure.withLock { $0 } }
  func fail(_ error: HarnessError) {
    failure.withLock { if $0 == nil { $0 = error } }
    failed.store(true, ordering: .relaxed)
  }

  func count(words count: Int) { words.wrappingAdd(count, ordering: .relaxed) }
}

/// The first thread.
struct HostileSession {
  enum Act: CaseIterable {
    case nearlyRight, hoard, ringAndNeverRead, sequences, leaveInTheMiddle
  }

  private let socket: String
  private let board: HostileBoard
  private var requests: HostileRequests
  private var visitor: HostileVisitor
  /// Of the present life.
  private var files: [UInt64] = []
  private static let roundsMaximum = 24
  private static let restNanoseconds: Int64 = 300_000

  init(socket: String, board: HostileBoard, seed: UInt64, tag: String, badPaths: [String]) {
    self.socket = socket
    self.board = board
    let names = (0..<6).flatMap { number in
      ["", "-journal", "-wal", "-shm"].map { "\(tag)e\(number)\($0)" }
    }
    requests = HostileRequests(
      words: HostileWords(seed: seed), badPaths: badPaths.map { Array($0.utf8) },
      ownNames: names.map { Array($0.utf8) })
    visitor = HostileVisitor(socket: socket, seed: seed &+ 1)
  }

  /// The body of its thread.
  mutating func run() {
    do throws(HarnessError) {
      while !board.isStopping.load(ordering: .relaxed) {
        guard board.isActive.load(ordering: .relaxed) else {
          visitor.leave()
          Clock.sleep(nanoseconds: 1_000_000)
          continue
        }
        try live()
        // A visit takes as long as many lives.
        guard requests.words.random.once(in: 8) else { continue }
        try visitor.visit()
        board.visits.wrappingAdd(1, ordering: .relaxed)
      }
    } catch {
      board.fail(error)
    }
  }

  private mutating func live() throws(HarnessError) {
    let session = try RawSession(socket)
    let channel = below(3) == 0 ? session.home : try openChannel(session)
    let aim = HostileAim.allCases[below(HostileAim.allCases.count)]
    let life = HostileLife(session, channel, aim)
    board.lives.wrappingAdd(1, ordering: .relaxed)
    openFiles(session, on: channel, count: 1 + below(4))
    let act = Act.allCases[below(Act.allCases.count)]
    if act == .hoard { hoard(session, fileCount: below(40) == 0 ? 5000 : 100) }
    board.show(life)
    defer {
      board.show(nil)
      session.vanish()
    }
    let rounds = act == .leaveInTheMiddle ? below(4) : HostileSession.roundsMaximum
    for _ in 0..<rounds {
      if life.isOver || !board.isActive.load(ordering: .relaxed) { break }
      misbehave(act, channel)
      Clock.sleep(nanoseconds: HostileSession.restNanoseconds)
    }
  }

  private mutating func below(_ bound: Int) -> Int { requests.words.random.below(bound) }

  // MARK: Good behaviour

  /// Another channel; the home channel where the sidecar gives no other.
  private func openChannel(_ session: RawSession) throws(HarnessError) -> RawChannel {
    let answer = try session.ask(.channelOpen, NoFields())
    guard answer.status == .done, let number = answer.decoded(as: ChannelFields.self)?.channel
    else { return session.home }
    return try session.receiveChannel(number)
  }

  private mutating func openFiles(_ session: RawSession, on channel: RawChannel, count: Int) {
    files = []
    for _ in 0..<count {
      let request = OpenRequest(
        path: requests.ownNames[below(requests.ownNames.count)],
        kind: .mainDatabase, options: [.readWrite, .create, .standingLocks])
      guard let answer = try? session.ask(.open, request, on: channel) else { return }
      if answer.status == .done, let opened = answer.decoded(as: OpenReply.self) {
        files.append(opened.file)
      }
    }
  }

  /// Takes as many handles, locks and channels as the sidecar gives, by correct requests.
  private mutating func hoard(_ session: RawSession, fileCount: Int) {
    let home = session.home
    for number in 0..<fileCount {
      openFiles(session, on: home, count: 1)
      guard let file = files.first else { return }
      home.post(code: Operation.lock.rawValue, file: file, LockFields(level: .shared))
      home.post(code: Operation.lock.rawValue, file: file, LockFields(level: .exclusive))
      home.post(
        code: Operation.walIndexMap.rawValue, file: file,
        WALIndexMapRequest(
          byteCount: 32_768, extends: true, isReadOnly: false, wantsDescriptor: false))
      home.post(
        code: Operation.walIndexLock.rawValue, file: file,
        WALIndexLockRequest(first: 0, count: 8, kind: .exclusive))
      if number % 8 == 0 {
        home.post(code: Operation.channelOpen.rawValue, file: 0, NoFields())
      }
      guard (try? home.awaitAnswers(session.socket)) != nil else { return }
      while home.hasRequests { _ = home.takeAnswer() }
      board.count(words: 6 * HostileRequests.wordsOfSlot)
      if !board.isActive.load(ordering: .relaxed) { return }
    }
  }

  // MARK: Misbehaviour

  /// It does not wait for answers: it reads and writes the sequences as they are.
  private mutating func misbehave(_ act: Act, _ channel: RawChannel) {
    let next = channel.lastAnswered() &+ 1
    let slots = channel.facts.slot_count
    var first = next
    var count = UInt32(1 + below(8))
    switch act {
    case .ringAndNeverRead:
      // Fills the whole ring, and wakes every sleeper again and again.
      count = slots
      unsafe channel.sleepsWord.pointee.store(1, ordering: .relaxed)
    case .sequences where requests.words.random.once(in: 4):
      first = requests.words.number(near: next)
      count = requests.words.number(near: 0)
    default: break
    }
    for number in 0..<min(count, slots) {
      board.count(
        words: requests.write(on: channel, number: first &+ number, files: files))
    }
    for _ in 0..<(act == .ringAndNeverRead ? 16 : 1) {
      unsafe Futex.wake(channel.sequenceWord(next))
    }
  }
}

/// The second thread. It spoils the first thread's requests in short bursts, so that it does not
/// take a processor from the measured threads.
struct HostileScribbler {
  private let board: HostileBoard
  private var words: HostileWords
  private static let burstLength = 8000
  private static let restNanoseconds: Int64 = 500_000

  init(board: HostileBoard, seed: UInt64) {
    self.board = board
    words = HostileWords(seed: seed)
  }

  /// The body of its thread.
  mutating func run() {
    while !board.isStopping.load(ordering: .relaxed) {
      if board.isActive.load(ordering: .relaxed), let life = board.current, !life.isOver {
        spoil(life)
      }
      Clock.sleep(nanoseconds: HostileScribbler.restNanoseconds)
    }
  }

  /// Rings, and writes while the proxy reads.
  private mutating func spoil(_ life: HostileLife) {
    let channel = life.channel
    let next = channel.lastAnswered() &+ 1
    if words.random.once(in: 2) {
      unsafe channel.sequenceWord(next).pointee.store(next, ordering: .sequentiallyConsistent)
      unsafe Futex.wake(channel.sequenceWord(next))
    }
    words.scribble(
      on: channel, aim: life.aim, next: next, count: HostileScribbler.burstLength)
    board.count(words: HostileScribbler.burstLength)
  }
}
