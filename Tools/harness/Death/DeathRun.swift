// Runs DeathTable: each operation, each phase, each victim. A second session, the harness itself
// and the kernel's lists of locks and descriptors then show what is left.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem
internal import SluiceWire
internal import ToolSupport

/// Confined to one thread.
final class DeathRun {
  enum Victim: String, CaseIterable { case client, sidecar }

  struct Cell {
    var expected: DeathEffect
    /// How often each effect was found.
    var found: [DeathEffect: Int] = [:]
  }

  struct Outcome {
    var cells: [Victim: [DeathCase: [DeathPhase: Cell]]] = [:]
    var kills: [Victim: Int] = [:]
    /// From a sidecar's end until the call under way returned its error.
    var errors = LatencyHistogram()
    var slowErrors = 0
    var nanoseconds: Int64 = 0
  }

  private let sidecar: HarnessSidecar
  private let files: DeathFiles
  private let rounds: Int
  private let canary: Bool
  private let stop: StopRequest
  private let program: String
  private var random: SplitMix64
  private var outcome = Outcome()

  /// A slow sync, so that a kill can hit its middle.
  static let sidecarOptions = ["--sync-delay", "10", "--keep-open", "0"]

  /// With `canary` the table says, wrongly, that a request that was not handed over is done.
  init(
    sidecar: HarnessSidecar, rounds: Int, seed: UInt64, canary: Bool, stop: StopRequest
  ) throws(HarnessError) {
    self.sidecar = sidecar
    self.rounds = rounds
    self.canary = canary
    self.stop = stop
    guard let root = sidecar.root else {
      throw .failed("kill needs a sidecar of the harness's own")
    }
    files = DeathFiles(root: root)
    random = SplitMix64(seed: seed)
    do throws(InstallationError) { program = try Installation.program() } catch {
      throw .failed(error.text)
    }
  }

  func run() throws(HarnessError) -> Outcome {
    let start = Clock.monotonicNanoseconds()
    let progress = Progress()
    defer { progress.clear() }
    for round in 0..<rounds {
      for kind in DeathCase.allCases {
        progress.show("kill: the table, round \(round + 1) of \(rounds), \(kind)")
        for phase in DeathPhase.allCases {
          for victim in Victim.allCases {
            try stop.check()
            try run(kind, phase, victim)
          }
        }
      }
    }
    outcome.nanoseconds = Clock.monotonicNanoseconds() - start
    return outcome
  }

  private func run(
    _ kind: DeathCase, _ phase: DeathPhase, _ victim: Victim
  ) throws(HarnessError) {
    let row = DeathTable.row(kind)
    var expected =
      (victim == .client ? row.client : row.sidecar)[DeathPhase.allCases.firstIndex(of: phase)!]
    if canary, phase == .filled, expected == .undone { expected = .done }
    var cell = outcome.cells[victim]?[kind]?[phase] ?? Cell(expected: expected)
    if expected != .never {
      let what = "\(kind), \(phase), \(victim) killed"
      do throws(HarnessError) {
        try files.prepare(kind)
        let found =
          victim == .client ? try killClient(kind, phase) : try killSidecar(kind, phase)
        guard expected.admits(found) else { throw .difference("\(found), not \(expected)") }
        cell.found[found, default: 0] += 1
        outcome.kills[victim, default: 0] += 1
      } catch .difference(let text) {
        throw .difference("\(what): \(text)")
      } catch .failed(let text) {
        throw .failed("\(what): \(text)")
      }
    }
    outcome.cells[victim, default: [:]][kind, default: [:]][phase] = cell
  }

  // MARK: A client

  private func killClient(
    _ kind: DeathCase, _ phase: DeathPhase
  ) throws(HarnessError) -> DeathEffect {
    let observer = try DeathObserver(sidecar)
    // A client waits for a lock only while another one holds it.
    if kind == .lockAwait { try observer.take([.shared, .reserved]) }
    let ends: SharedSocketPair = try needed("socket pair") { () throws(Errno) in
      SharedSocketPair(try SocketPair())
    }
    let client = try DoomedProcess(
      [
        "doomed", "--socket", sidecar.socket, "--case", kind.rawValue, "--phase", phase.rawValue,
      ], program: program, input: ends.theirs, output: ends.theirs)
    try hear(ends, "ready")
    if kind.heldBefore == .exclusive, phase == .before { try observer.expectBusy() }
    let isStopped = phase == .filled || phase == .counted
    if isStopped { try sidecar.pause() }
    ends.say()
    if kind == .lockAwait, phase == .answered {
      Clock.sleep(nanoseconds: 1_000_000)
      try observer.giveBack()
    }
    let answer = try hear(ends, "at")
    if phase == .answered {
      guard answer == "done" else { throw .difference("the answer is \(answer)") }
    }
    client.kill()
    if isStopped { sidecar.resume() }
    if kind == .lockAwait, phase != .answered { try observer.giveBack() }
    // A client that was called has 5 ms to take the lock (SPEC.md, Habits); the sidecar does not
    // check whether it is alive.
    if kind == .lockAwait, phase == .answered { Clock.sleep(nanoseconds: 6_000_000) }
    // A lock of a dead client never causes `busy`.
    try observer.take(kind == .lockAwait ? [.shared, .reserved] : [.shared, .exclusive])
    try observer.giveBack()
    try observer.closeFile()
    try awaitNoFiles()
    let found = try files.effect(kind)
    try observer.expectFreeIndex()
    try observer.leave()
    try awaitNoFiles()
    return found
  }

  /// Waits for the client's line; returns the text after `word`.
  @discardableResult
  private func hear(_ ends: SharedSocketPair, _ word: String) throws(HarnessError) -> String {
    guard let text = ends.hear() else { throw .difference("the client was not heard within 20 s") }
    guard text.hasPrefix(word) else { throw .difference("the client says '\(text)'") }
    return String(text.dropFirst(word.count).drop { $0 == " " })
  }

  /// Waits until the sidecar has no file of the root open: handles of dead clients are closed.
  private func awaitNoFiles() throws(HarnessError) {
    var open: [String] = []
    for _ in 0..<20_000 {
      open = filesOpen(in: sidecar.process, below: files.root)
      if open.isEmpty { return }
      Clock.sleep(nanoseconds: 500_000)
    }
    throw .difference(
      "the sidecar has files open that no client uses: \(open.joined(separator: ", "))")
  }

  // MARK: A sidecar

  private func killSidecar(
    _ kind: DeathCase, _ phase: DeathPhase
  ) throws(HarnessError) -> DeathEffect {
    let call = try DeathCall(kind, socket: sidecar.socket)
    if phase == .counted { try sidecar.pause() }
    if phase == .before { sidecar.killNow() }
    let thread = try needed("thread") { () throws(Errno) in try Thread("doomed") { call.run() } }
    switch phase {
    case .before: break
    case .filled: preconditionFailure("a client cannot see this phase")
    case .counted:
      while !call.begun { yieldProcessor() }
      Clock.sleep(nanoseconds: 2_000_000)
      guard call.outcome == nil else {
        throw .difference("the call is answered although the sidecar is stopped")
      }
    case .underWay:
      while !call.begun { yieldProcessor() }
      let end = Clock.monotonicNanoseconds() + Int64(random.below(2048 << random.below(8)))
      while Clock.monotonicNanoseconds() < end { spinHint() }
    case .answered:
      if kind == .lockAwait {
        Clock.sleep(nanoseconds: 1_000_000)
        try call.letTurnCome()
      }
      guard let result = ended(call), result.isDone else {
        throw .difference("no answer: \(call.outcome?.text ?? "it hangs")")
      }
    }
    sidecar.killNow()
    let killedAt = Clock.monotonicNanoseconds()
    guard let result = ended(call) else { throw .difference("the call hangs") }
    thread.join()
    let late = max(0, result.endedNanoseconds - killedAt)
    if phase != .answered { outcome.errors.add(nanoseconds: late) }
    if late > 1_000_000_000 { outcome.slowErrors += 1 }
    if phase != .answered, phase != .underWay, result.isDone {
      throw .difference("the call says that it is done")
    }
    guard call.nextCallFails() else { throw .difference("the next call is answered") }
    if let lock = LockList.locks(below: files.root).first {
      throw .difference("the sidecar is dead, but \(lock.text)")
    }
    let found = try files.effect(kind)
    if result.isDone, found == .undone || found == .part {
      throw .difference("the call says that it is done, but it is not")
    }
    try sidecar.start(options: DeathRun.sidecarOptions)
    let observer = try DeathObserver(sidecar)
    try observer.take([.shared, .exclusive])
    try observer.giveBack()
    try observer.expectFreeIndex()
    try observer.leave()
    try awaitNoFiles()
    return found
  }

  /// The call's outcome; nil where it hangs.
  private func ended(_ call: DeathCall) -> DeathCall.Result? {
    let deadline = Clock.monotonicNanoseconds() + hangNanoseconds
    while Clock.monotonicNanoseconds() < deadline {
      if let result = call.outcome { return result }
      Clock.sleep(nanoseconds: 100_000)
    }
    return nil
  }
}

/// The names of the files in `directory` that a process has open.
private func filesOpen(in process: Int32, below directory: String) -> [String] {
  let descriptors = "/proc/\(process)/fd"
  return ((try? unsafe namesInDirectory(zeroTerminated(descriptors))) ?? []).compactMap { name in
    let link = zeroTerminated("\(descriptors)/\(String(decoding: name, as: UTF8.self))")
    guard let path = try? unsafe readSymbolicLink(link) else { return nil }
    let text = String(decoding: path, as: UTF8.self)
    return text.hasPrefix(directory + "/") ? String(text.dropFirst(directory.count + 1)) : nil
  }
}

/// Both ends of the socket to a client that is to be killed.
private final class SharedSocketPair {
  private let pair: SocketPair

  init(_ pair: consuming SocketPair) { self.pair = pair }

  var theirs: Int32 { pair.theirs.rawValue }

  func say() {
    var byte: UInt8 = 1
    _ = unsafe write(pair.ours.rawValue, &byte, 1)
  }

  /// Nil when the client said nothing in time.
  func hear() -> String? {
    guard pair.ours.awaitReadable(timeoutMilliseconds: 20_000) else { return nil }
    var bytes = [UInt8](repeating: 0, count: 512)
    let count = unsafe bytes.withUnsafeMutableBytes {
      unsafe read(pair.ours.rawValue, $0.baseAddress, $0.count)
    }
    return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
  }
}
