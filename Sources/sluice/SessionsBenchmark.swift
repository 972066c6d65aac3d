// sluice bench-sessions: what idle sessions cost a busy one, and what they cost at all. Developers
// run it; users read its figures in the README.
//
// Two shared sidecars run side by side, one with the busy session alone and one with `idle` others,
// each a process with a database open. Rounds alternate between the two, so that what drifts with
// the machine is in both.

internal import CSluice
internal import SluiceClient
internal import SluiceSystem
internal import SluiceWire

let benchSessionsCommand = Command(
  name: "bench-sessions", summary: "",
  help: """
    usage: sluice bench-sessions [--idle N] [--rounds N] [--count N] [--seconds N] [--reactors N]

    Round trips of one busy session of a shared sidecar, alone and among idle ones; the first
    request of an idle session beside a busy one; round trips beside a session that syncs all the
    time; and the processor time and memory that the idle ones take.

      --idle N       idle sessions (200)
      --rounds N     interleaved rounds (9)
      --count N      round trips in a round (50000)
      --seconds N    how long to look at the idle sidecar's processor time (5)
      --reactors N   as of 'sluice serve'
    """,
  run: { words throws(CommandError) in
    var options = Options(words)
    // How the benchmark starts its peers.
    if let role = options.word() {
      guard let role = SessionPeer(rawValue: role), descriptorIsOpen(3) else {
        throw .usage("'sluice bench-sessions' starts this")
      }
      guard let socket = try options.value("--socket"), let name = try options.value("--name")
      else { throw .usage("--socket and --name are missing") }
      do throws(CallError) {
        try role.run(socket: socket, name: name)
      } catch {
        throw .failed("bench-sessions: \(error.text)")
      }
      return 0
    }
    let benchmark = SessionsBenchmark(
      idleCount: try options.number("--idle", in: 0...1000, or: 200),
      rounds: try options.number("--rounds", in: 1...1000, or: 9),
      count: try options.number("--count", in: 100...10_000_000, or: 50_000),
      seconds: try options.number("--seconds", in: 1...600, or: 5),
      reactorCount: try options.value("--reactors"))
    try options.finish()
    try benchmark.run()
    return 0
  })

/// What another process does with a session of its own until descriptor 3 ends.
private enum SessionPeer: String {
  /// Opens a database, uses it once, and is silent.
  case idle
  /// One null operation after the other.
  case busy
  /// Writes a page and syncs it, all the time.
  case syncing

  func run(socket: String, name: String) throws(CallError) {
    let lifeline = FileDescriptor(owning: 3)
    let (_, file) = try openSession(socket: socket, name: name)
    let page = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 4096)
    defer { unsafe page.deallocate() }
    unsafe page.initializeMemory(as: UInt8.self, repeating: 0x5a)
    try file.lock(.shared)
    if self == .syncing { try file.lock(.exclusive) }
    try unsafe file.write(UnsafeRawBufferPointer(page), at: 0)
    _ = try unsafe file.read(into: page, at: 0)
    if self == .idle { try file.unlock(.none) }
    try? unsafe lifeline.send(UnsafeRawBufferPointer(rebasing: page[..<1]))
    while !lifeline.awaitReadable(timeoutMilliseconds: self == .idle ? 60_000 : 0) {
      switch self {
      case .idle: break
      case .busy: for _ in 0..<10_000 { try file.channel.roundTrip() }
      case .syncing:
        for _ in 0..<20 {
          try unsafe file.write(UnsafeRawBufferPointer(page), at: 0)
          try file.sync()
        }
      }
    }
  }
}

private func openSession(
  socket: String, name: String
) throws(CallError) -> (Session, RemoteFile) {
  let path = zeroTerminated(socket)
  let session: Session
  do throws(ConnectError) {
    session = try unsafe Session.connect(toSocket: path)
  } catch {
    throw .sessionLost
  }
  let file = try session.openChannel().open(
    OpenRequest(path: Array(name.utf8), kind: .mainDatabase, options: [.readWrite, .create]))
  return (session, file)
}

private struct SessionsBenchmark {
  let idleCount: Int
  let rounds: Int
  let count: Int
  let seconds: Int
  let reactorCount: String?

  private var program: [CChar] { zeroTerminated("/proc/self/exe") }

  func run() throws(CommandError) {
    let directory = "/tmp/sluice-bench-\(getpid())"
    unsafe mkdir(directory, 0o700)
    defer { removeTree(directory) }
    let alone = try Sidecar(directory: directory + "/alone", program, reactorCount)
    let crowded = try Sidecar(directory: directory + "/crowded", program, reactorCount)
    do throws(CallError) {
      let quietFile = try openSession(socket: alone.socket, name: "busy.db").1
      let crowdedFile = try openSession(socket: crowded.socket, name: "busy.db").1
      // Early, so that the same reactor has it.
      let crowdedProbe = try openSession(socket: crowded.socket, name: "probed.db").1
      try quietFile.channel.roundTrip()
      try crowdedFile.channel.roundTrip()
      let before = crowded.memory
      var idle: [Peer] = []
      for number in 0..<idleCount {
        idle.append(try Peer(.idle, "idle\(number).db", crowded, program))
      }
      let after = crowded.memory
      print("threads of the sidecar             \(crowded.threadCount)")
      if idleCount > 0 {
        print("memory per idle session, Pss       \((after.pss - before.pss) / idleCount) KiB")
        print("memory per idle session, Rss       \((after.rss - before.rss) / idleCount) KiB")
      }
      Clock.sleep(nanoseconds: 200_000_000)
      let start = crowded.processorNanoseconds
      Clock.sleep(nanoseconds: Int64(seconds) * 1_000_000_000)
      let spent = crowded.processorNanoseconds - start
      print("processor time idle                \(spent / 1000 / seconds) µs a second")
      try compare("null operation", quietFile, crowdedFile)
      try compareReads(quietFile, crowdedFile)
      try measureFirstRequests(crowded)
      try measureColdRequests(crowdedFile, crowdedProbe)
      try measure(beside: .busy, crowdedFile, crowded)
      try measure(beside: .syncing, crowdedFile, crowded)
      withExtendedLifetime(idle) {}
    } catch {
      throw .failed("bench-sessions: \(error.text)")
    }
  }

  private func compare(
    _ name: String, _ alone: RemoteFile, _ crowded: RemoteFile
  ) throws(CallError) {
    try compare(
      name, { () throws(CallError) in try alone.channel.roundTrip() },
      { () throws(CallError) in try crowded.channel.roundTrip() })
  }

  private func compareReads(_ alone: RemoteFile, _ crowded: RemoteFile) throws(CallError) {
    let page = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 4096)
    defer { unsafe page.deallocate() }
    unsafe page.initializeMemory(as: UInt8.self, repeating: 0x5a)
    for file in [alone, crowded] { try unsafe file.write(UnsafeRawBufferPointer(page), at: 0) }
    try compare(
      "read 4 KiB", { () throws(CallError) in _ = try unsafe alone.read(into: page, at: 0) },
      { () throws(CallError) in _ = try unsafe crowded.read(into: page, at: 0) })
  }

  private func compare(
    _ name: String, _ alone: () throws(CallError) -> Void,
    _ crowded: () throws(CallError) -> Void
  ) throws(CallError) {
    var quiet: [Samples] = []
    var loud: [Samples] = []
    for _ in 0..<rounds {
      quiet.append(try time(alone))
      loud.append(try time(crowded))
    }
    let ratios = zip(quiet, loud).map {
      Double($1.percentile(0.5)) / Double($0.percentile(0.5))
    }.sorted()
    show(name + ", alone", quiet)
    show(name + ", among \(idleCount)", loud)
    print(
      "  ratio of p50, median of rounds  \(hundredths(median(ratios)))"
        + "  (\(hundredths(ratios.first!)) to \(hundredths(ratios.last!)))")
  }

  /// The first request of a session that was silent, while another one keeps the reactor busy.
  private func measureFirstRequests(_ sidecar: Sidecar) throws(CallError) {
    let probe = try openSession(socket: sidecar.socket, name: "probe.db").1
    for isBusy in [false, true] {
      let busy = isBusy ? try Peer(.busy, "other.db", sidecar, program) : nil
      var samples = Samples(capacity: 300)
      for _ in 0..<300 {
        Clock.sleep(nanoseconds: 3_000_000)
        let start = Clock.monotonicNanoseconds()
        try probe.channel.roundTrip()
        samples.append(Clock.monotonicNanoseconds() - start)
      }
      show("first request, \(isBusy ? "reactor busy" : "reactor asleep")", [samples])
      withExtendedLifetime(busy) {}
    }
  }

  /// The first request of a cold channel of the same reactor, which spins.
  private func measureColdRequests(
    _ file: RemoteFile, _ probe: RemoteFile
  ) throws(CallError) {
    var samples = Samples(capacity: 300)
    for _ in 0..<300 {
      for _ in 0..<20_000 { try file.channel.roundTrip() }
      let start = Clock.monotonicNanoseconds()
      try probe.channel.roundTrip()
      samples.append(Clock.monotonicNanoseconds() - start)
    }
    show("first request, reactor spinning", [samples])
  }

  private func measure(
    beside role: SessionPeer, _ file: RemoteFile, _ sidecar: Sidecar
  ) throws(CallError) {
    let peer = try Peer(role, "\(role.rawValue).db", sidecar, program)
    var samples: [Samples] = []
    for _ in 0..<rounds {
      samples.append(try time { () throws(CallError) in try file.channel.roundTrip() })
    }
    show("null operation beside \(role.rawValue)", samples)
    withExtendedLifetime(peer) {}
  }

  private func time(_ body: () throws(CallError) -> Void) throws(CallError) -> Samples {
    var samples = Samples(capacity: count)
    for _ in 0..<count / 10 { try body() }
    for _ in 0..<count {
      let start = Clock.monotonicNanoseconds()
      try body()
      samples.append(Clock.monotonicNanoseconds() - start)
    }
    return samples
  }

  private func show(_ name: String, _ rounds: [Samples]) {
    func figure(_ fraction: Double) -> Int64 { median(rounds.map { $0.percentile(fraction) }) }
    print(
      name.padded(to: 35) + "p50 \(figure(0.5)) ns, p99 \(figure(0.99)) ns,"
        + " p99.9 \(figure(0.999)) ns, mean \(median(rounds.map(\.mean))) ns")
  }
}

/// A sidecar that lasts as long as this.
private final class Sidecar {
  let socket: String
  private let process: SpawnedProcess
  private let lifeline: SharedDescriptor

  init(directory: String, _ program: [CChar], _ reactorCount: String?) throws(CommandError) {
    unsafe mkdir(directory, 0o700)
    unsafe mkdir(directory + "/root", 0o700)
    socket = directory + "/socket"
    var words = [
      "serve", "--root", directory + "/root", "--socket", socket, "--quiet", "--lifeline",
    ]
    if let reactorCount { words += ["--reactors", reactorCount] }
    do throws(Errno) {
      let pair = try SocketPair()
      process = try unsafe SpawnedProcess.start(
        program, arguments: words.map(zeroTerminated), descriptor: pair.theirs)
      lifeline = SharedDescriptor(pair.ours)
    } catch {
      throw .failed("bench-sessions: \(unsafe String(cString: error.text))")
    }
    for _ in 0..<1000 {
      let path = zeroTerminated(socket)
      if (try? unsafe FileDescriptor.connect(toSocket: path)) != nil { return }
      Clock.sleep(nanoseconds: 10_000_000)
    }
    throw .failed("bench-sessions: the sidecar does not listen")
  }

  /// In KiB.
  var memory: (pss: Int, rss: Int) {
    var figures = (pss: 0, rss: 0)
    for line in lines(of: "/proc/\(process.id)/smaps_rollup") {
      let words = line.split(separator: " ")
      if words.first == "Pss:" { figures.pss = Int(words[1])! }
      if words.first == "Rss:" { figures.rss = Int(words[1])! }
    }
    return figures
  }

  var threadCount: Int { tasks.count }

  /// What all its threads have spent.
  var processorNanoseconds: Int {
    tasks.reduce(0) { sum, task in
      let line = lines(of: "/proc/\(process.id)/task/\(task)/schedstat").first ?? "0"
      return sum + (Int(line.split(separator: " ").first ?? "0") ?? 0)
    }
  }

  private var tasks: [String] {
    let names = (try? unsafe namesInDirectory(zeroTerminated("/proc/\(process.id)/task"))) ?? []
    return names.map { String(decoding: $0, as: UTF8.self) }.filter { Int($0) != nil }
  }
}

/// A process with a session, until this goes.
private final class Peer {
  private let lifeline: SharedDescriptor
  private let process: SpawnedProcess

  init(
    _ role: SessionPeer, _ name: String, _ sidecar: Sidecar, _ program: [CChar]
  ) throws(CallError) {
    let words = ["bench-sessions", role.rawValue, "--socket", sidecar.socket, "--name", name]
    do throws(Errno) {
      let pair = try SocketPair()
      process = try unsafe SpawnedProcess.start(
        program, arguments: words.map(zeroTerminated), descriptor: pair.theirs)
      lifeline = SharedDescriptor(pair.ours)
    } catch {
      throw .sessionLost
    }
    guard lifeline.descriptor.awaitReadable(timeoutMilliseconds: 20_000) else {
      throw .sessionLost
    }
  }

  deinit {
    lifeline.descriptor.shutDown()
    process.awaitEnd(timeoutMilliseconds: 5000)
  }
}

private func lines(of path: String) -> [Substring] {
  guard let file = unsafe fopen(path, "r") else { return [] }
  defer { unsafe fclose(file) }
  var bytes = [UInt8](repeating: 0, count: 1 << 16)
  let byteCount = unsafe fread(&bytes, 1, bytes.count, file)
  return String(decoding: bytes[..<byteCount], as: UTF8.self).split(separator: "\n")
}

private func removeTree(_ path: String) {
  let names = (try? unsafe namesInDirectory(zeroTerminated(path))) ?? []
  for name in names.map({ String(decoding: $0, as: UTF8.self) }) where name != "." && name != ".." {
    removeTree(path + "/" + name)
  }
  unsafe remove(path)
}

private func hundredths(_ value: Double) -> String {
  let count = Int((value * 100).rounded())
  return "\(count / 100).\(count % 100 < 10 ? "0" : "")\(count % 100)"
}

extension Samples {
  fileprivate var mean: Int64 { nanoseconds.reduce(0, +) / Int64(nanoseconds.count) }
}
