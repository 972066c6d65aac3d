// The whole sidecar behind its channels. Two sessions on one reactor, which this target turns by
// hand, follow the fuzzer's bytes over files of a temporary root. A program outside opens and locks
// the same files. No input may trap. A client must understand every answer, the locks must be right
// after each step, and nothing outside the root may change. When the sessions have ended no file
// may be open.

import CSluice
import Glibc
import SluiceSystem
import SluiceWire

@testable import SluiceChannel
@testable import SluiceFiles
@testable import SluiceServer

struct SessionTarget: FuzzTarget {
  static let name = "session"

  private let tree: FuzzTree
  private let parts: SidecarParts
  private let homes: [RawRegions]
  private var sessionCount: UInt64 = 0

  init() throws {
    tree = try FuzzTree()
    try tree.makeDirectory("sub")
    // A client may ask for a file of any size.
    var limit = rlimit(rlim_cur: 1 << 24, rlim_max: 1 << 24)
    _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
    for number in [SIGIO, sluice_lease_signal] { ignoreSignal(number) }
    let configuration = SidecarConfiguration(
      rootPath: tree.rootPath.utf8.map { CChar(bitPattern: $0) } + [0])
    let metrics = Metrics()
    let files = FileTable(metrics: metrics)
    let windows = WindowBudget(byteCountMaximum: 64 * 4096)
    parts = SidecarParts(
      roots: try Roots(Root(configuration.rootPath)), files: files, windows: windows,
      windowKeeper: WindowKeeper(windows, files: files, metrics: metrics, hasGroupLimit: false),
      metrics: metrics, life: try Life.create(), configuration: configuration)
    homes = [try RawRegions(RawRegions.smallShape), try RawRegions(RawRegions.smallShape)]
  }

  /// Each request of the vectors alone, and all of them after an open.
  static func seeds(from vectors: SeedVectors) -> [[UInt8]] {
    func request(_ operation: SluiceWire.Operation, _ arguments: [UInt8]) -> [UInt8] {
      let code = UInt8(SluiceWire.Operation.allCases.firstIndex(of: operation)!)
      return [0, 0, 0, code, 7, UInt8(arguments.count)] + arguments + [1, 0, 2, 0, 0, 16, 0]
    }
    let requests = vectors.requests.filter { $0.arguments.count <= 100 }
    // /a.db: to create, read and write, with standing locks.
    let openCode = UInt8(SluiceWire.Operation.allCases.firstIndex(of: .open)!)
    let open: [UInt8] = [0, 0, 0, openCode, 0, 0, 0, 0, 0x43, 0, 0, 0, 0, 0, 0, 0]
    return [open]
      + requests.map { open + request($0.operation, $0.arguments) }
      + [open + requests.flatMap { request($0.operation, $0.arguments) }.prefix(4000)]
  }

  mutating func run(_ input: [UInt8]) {
    // libFuzzer has taken this signal over meanwhile. The sidecar blocks it and sees the error.
    ignoreSignal(SIGXFSZ)
    tree.empty()
    for (name, target) in SessionRequest.links { try? tree.makeLink(name, to: target) }
    for home in homes { home.clear() }
    var run = SessionRun(parts, tree)
    for home in homes {
      sessionCount += 1
      run.adopt(sessionCount, home)
    }
    var input = FuzzInput(input)
    for _ in 0..<128 where !input.isEmpty {
      run.step(&input)
      run.checkLocks()
    }
    run.end()
    require(tree.isUntouched, "something outside the root was touched")
  }
}

private func ignoreSignal(_ number: Int32) { _ = signal(number, SIG_IGN) }

/// The parts that all inputs use.
private struct SidecarParts {
  let roots: Roots
  let files: FileTable
  let windows: WindowBudget
  let windowKeeper: WindowKeeper
  let metrics: Metrics
  let life: (life: Life, descriptor: SharedDescriptor)
  let configuration: SidecarConfiguration
}

/// There is one thread.
private final class OneThread: Placement {
  func reactorForChannel() throws(Errno) -> Reactor? { nil }
  func giveUpRoom(of reactor: Reactor) {}
}

/// The run of one input.
private struct SessionRun {
  private let parts: SidecarParts
  private let own: FileParts
  private let tree: FuzzTree
  private let reactor: Reactor
  private let loop: ReactorLoop
  private var clients: [SessionClient] = []
  private var outside: SharedDescriptor?

  init(_ parts: SidecarParts, _ tree: FuzzTree) {
    self.parts = parts
    self.tree = tree
    own = FileParts(
      roots: parts.roots, files: parts.files, windows: parts.windows,
      windowKeeper: parts.windowKeeper, configuration: parts.configuration,
      metrics: parts.metrics)
    reactor = Reactor(number: 0)
    loop = ReactorLoop(
      reactor,
      SharedState(
        service: FileService(own), metrics: parts.metrics, life: parts.life,
        configuration: parts.configuration.server),
      Spinning(), placement: OneThread())
  }

  private var thread: FileThread { loop.service as! FileThread }

  mutating func adopt(_ id: UInt64, _ home: RawRegions) {
    guard reactor.reserve(Reactor.channelsForSession),
      let client = try? SessionClient(id: id, servedBy: reactor, home)
    else { broken("a session cannot be made") }
    clients.append(client)
    reactor.send(.adopt(client.home))
    loop.readMail()
  }

  /// One round of the reactor's thread.
  private func turn(_ count: Int = 1) {
    for _ in 0..<count {
      loop.readMail()
      _ = loop.pollChannels()
      if reactor.alarm.takeIfDue() { loop.lookAtWaiters() }
    }
    for client in clients { client.listen() }
  }

  // MARK: Steps

  mutating func step(_ input: inout FuzzInput) {
    switch input.choice(16) {
    case 8: turn(64)
    case 9: corrupt(&input)
    case 10, 11: useStandingLocks(&input)
    case 12: openOutside(&input)
    case 13: lockOutside(&input)
    case 14: outside = nil
    case 15: endSession(&input)
    default: request(&input)
    }
  }

  private func channel(_ input: inout FuzzInput) -> (SessionClient, SessionChannel) {
    let client = clients[input.choice(clients.count)]
    return (client, client.channels[input.choice(client.channels.count)])
  }

  private func request(_ input: inout FuzzInput) {
    let (client, channel) = channel(&input)
    let request = SessionRequest(&input)
    var slot = sluice_slot()
    slot.operation = request.operation
    let file = input.choice(16)
    slot.file =
      file == 15
      ? input.number() : client.files.isEmpty ? 0 : client.files[file % client.files.count]
    let isContent = [SluiceWire.Operation.read, .write].contains { $0.rawValue == slot.operation }
    if isContent {
      slot.payload_byte_count = input.size(ChannelShape.transferByteCountMaximum)
      slot.payload_offset = UInt32(input.choice(4)) * 32_768
    }
    guard channel.hasRoom, loop.sessions[client.id] != nil else { return }
    channel.post(slot, arguments: request.arguments)
    // Some requests arrive together.
    if input.choice(4) != 3 { turn() }
  }

  private func corrupt(_ input: inout FuzzInput) {
    let (_, channel) = channel(&input)
    channel.isSpoilt = true
    let offset = Int(input.number(UInt16.self))
    if input.flag() {
      channel.regions.write(input.sequence(), control: offset)
    } else {
      channel.regions.write(input.sequence(), io: offset)
    }
    turn()
  }

  private func useStandingLocks(_ input: inout FuzzInput) {
    let (_, channel) = channel(&input)
    let regions = channel.regions.attach()
    let locks = LockSet(rawValue: UInt32(input.number(UInt16.self)))
    switch input.choice(8) {
    case 0...3: _ = regions.standingLocks.take(locks, alone: input.flag())
    case 4...6: _ = regions.standingLocks.giveBack(locks)
    default: channel.regions.standing = input.number()
    }
  }

  /// Another program opens one of the files. If the sidecar has a lease, it must give it back, as
  /// the lease watch asks the threads when the kernel signals.
  private mutating func openOutside(_ input: inout FuzzInput) {
    let name = SessionRequest.paths[input.choice(8)]
    let path = (tree.rootPath + name).utf8.map { CChar(bitPattern: $0) } + [0]
    for _ in 0..<3 {
      do throws(Errno) {
        let file = try unsafe FileDescriptor.open(path, [.readWrite, .nonBlocking])
        outside = SharedDescriptor(file)
        return
      } catch .again {
        thread.settleHere(for: nil, besides: nil)
        for file in parts.files.files(ofDescriptor: nil) { file.answerLeaseBreak() }
      } catch {
        return
      }
    }
    broken("an outsider is not let in after the lease was given back")
  }

  private func lockOutside(_ input: inout FuzzInput) {
    let lock: ByteRangeLock = [.shared, .exclusive, .none][input.choice(3)]
    let places: [(Int64, Int64)] = [
      (0x4000_0000, 1), (0x4000_0001, 1), (0x4000_0002, 510), (120, 1), (121, 7), (128, 1),
    ]
    let (start, byteCount) = places[input.choice(places.count)]
    _ = try? outside?.descriptor.setLock(lock, start: start, byteCount: byteCount)
  }

  private func endSession(_ input: inout FuzzInput) {
    let client = clients[input.choice(clients.count)]
    // Seldom, because otherwise the rest of the input has no effect.
    if input.choice(4) != 3 { return }
    client.hangUp()
    if input.flag() { reactor.send(.sessionEnded(client.id)) }
    turn()
  }

  // MARK: Promises

  /// Compares the levels that the handles hold with the state of their file.
  func checkLocks() {
    let handles = thread.sessions.values.flatMap { $0.handles.all }
    for (index, handle) in handles.enumerated() {
      let file = handle.file
      if handles[..<index].contains(where: { $0.file === file }) { continue }
      let holders = handles.filter { $0.file === file }.map(\.holder)
      file.state.withLock { state in
        let ladder = state.ladder
        let levels = holders.map(\.level).filter { $0 > .none }
        require(ladder.sharedCount == levels.count, "\(levels) counted as \(ladder.sharedCount)")
        let writers = levels.filter { $0 > .shared }
        require(writers.count <= 1, "two writers: \(levels)")
        require(
          ladder.writerLevel == writers.first ?? .none,
          "\(levels) with a writer of \(ladder.writerLevel)")
        if ladder.writerLevel == .exclusive { require(levels.count == 1, "not alone: \(levels)") }
      }
    }
  }

  /// All sessions end. Then no file may be open.
  mutating func end() {
    outside = nil
    for client in clients { reactor.send(.sessionEnded(client.id)) }
    turn()
    require(loop.sessions.isEmpty, "a session does not end")
    clients = []
    require(thread.sessions.isEmpty, "the file service keeps a session")
    // A worker may still have a file. Those that nobody has are closed now, and not in a second.
    let deadline = Clock.monotonicNanoseconds() + 20_000_000_000
    while true {
      parts.files.closeUnused(now: nil)
      if parts.files.files(ofDescriptor: nil).isEmpty { break }
      require(Clock.monotonicNanoseconds() < deadline, "a file is open without a session")
      sluice_yield()
    }
    own.workers.stop()
  }
}
