// The thread at the door. It accepts and greets clients, hands sessions to reactors, notices when a
// client has died, reads the signals, and attends to the service's watch. It never touches what
// belongs to a session's thread.

internal import SluiceChannel
package import SluiceSystem
internal import SluiceWire

/// What clients come through.
package struct Entrance: ~Copyable {
  /// The socket on which a shared server listens.
  var listener: SharedDescriptor?
  /// The first client is at the other end. A server for one client has no listener.
  var client: FileDescriptor?
  /// Readable when the program for which the server was started has ended.
  var lifeline: SharedDescriptor?

  package static func shared(_ listener: SharedDescriptor, lifeline: SharedDescriptor?) -> Entrance
  {
    Entrance(listener: listener, client: nil, lifeline: lifeline)
  }

  package static func oneClient(_ client: consuming FileDescriptor) -> Entrance {
    Entrance(listener: nil, client: .some(client), lifeline: nil)
  }
}

/// Confined to the thread that calls `run`.
final class Door {
  private let shared: SharedState
  private let signals: StopSignals
  private let listener: SharedDescriptor?
  private let lifeline: SharedDescriptor?
  private let watch: (any Watch)?
  private let poller: Poller

  private var visitors: [UInt64: Visitor] = [:]
  private var links: [UInt64: SessionLink] = [:]
  private let crew: Crew
  /// How many sessions each user has.
  private var sessionCounts: [UInt32: Int] = [:]
  private var lastSession: UInt64 = 0
  private var ending: Ending
  private var hasToldOfUnseenClients = false

  /// A connection that has not yet said hello.
  private final class Visitor {
    let socket: SharedDescriptor
    let cause: Log.Cause
    let cameAt: Int64

    init(_ socket: consuming FileDescriptor, _ cause: Log.Cause, now: Int64) {
      self.socket = SharedDescriptor(socket)
      self.cause = cause
      cameAt = now
    }
  }

  /// A hello takes a client microseconds. One that has not come by then never will.
  private let helloNanoseconds: Int64 = 5_000_000_000
  private let visitorsMaximum = 256
  /// Those of one user, or of all users who are not served together.
  private let visitorsPerUserMaximum = 128
  /// After this time a visitor that has said nothing makes room for others of its user.
  private let crowdNanoseconds: Int64 = 250_000_000

  /// What a poller token means: the two low bits, with a session's or visitor's number above.
  private enum Token {
    static let listener: UInt64 = 0
    static let signals: UInt64 = 4
    static let lifeline: UInt64 = 8
    static let watch: UInt64 = 12
    static func visitor(_ id: UInt64) -> UInt64 { id << 2 | 1 }
    static func link(_ id: UInt64) -> UInt64 { id << 2 | 2 }
  }

  init(
    _ shared: SharedState, signals: consuming StopSignals, _ entrance: consuming Entrance
  ) throws(Errno) {
    self.shared = shared
    crew = Crew(shared)
    poller = try Poller()
    watch = try shared.service.makeWatch()
    try watch?.join(poller, token: Token.watch)
    try poller.add(signals.descriptor, token: Token.signals)
    self.signals = signals
    let linger = Int64(shared.configuration.linger) * 1_000_000
    listener = entrance.listener
    lifeline = entrance.lifeline
    let client = entrance.client.take()
    ending = Ending(
      client != nil
        ? .withClient : lifeline != nil ? .withLifeline(lingerNanoseconds: linger) : .bySignal)
    if let lifeline { try poller.add(lifeline.descriptor, token: Token.lifeline) }
    if let listener { try poller.add(listener.descriptor, token: Token.listener) }
    if let client = consume client { try admit(client, .own) }
  }

  /// Keeps the door until the server ends.
  func run() throws(Errno) {
    try shared.life.life.begin()
    defer { shared.life.life.end() }
    var watchDue = watch?.attend(isReadable: false)
    while true {
      let now = Clock.monotonicNanoseconds()
      let remaining = ending.remainingNanoseconds(now: now)
      if remaining == 0 { break }
      let token = try poller.wait(timeoutMilliseconds: timeout(remaining, watchDue, now: now))
      if let token { answer(token) }
      watchDue = watch?.attend(isReadable: token == Token.watch)
      sendLateVisitorsAway()
    }
    // What clients take in shared memory from here on would go unnoticed.
    shared.life.life.end()
    crew.stop()
    shared.service.stop()
  }

  /// How long to wait for the next event, in milliseconds; nil without limit.
  private func timeout(_ remaining: Int64?, _ watchDue: Int64?, now: Int64) -> Int32? {
    var nanoseconds = remaining
    if !visitors.isEmpty { nanoseconds = min(nanoseconds ?? .max, 1_000_000_000) }
    if let watchDue { nanoseconds = min(nanoseconds ?? .max, max(0, watchDue - now)) }
    return nanoseconds.map { Int32(clamping: $0 / 1_000_000 + 1) }
  }

  private func answer(_ token: UInt64) {
    switch token {
    case Token.watch: break
    case Token.listener: accept()
    case Token.signals:
      while signals.next() { ending.signalled(now: Clock.monotonicNanoseconds()) }
    case Token.lifeline:
      if let lifeline { poller.remove(lifeline.descriptor) }
      // Whoever reads what the command says to the end would wait for this process too.
      if shared.configuration.linger > 0 { silenceStandardError() }
      ending.lifelineWasCut(now: Clock.monotonicNanoseconds())
    default:
      let id = token >> 2
      if token & 3 == 1 { greet(id) } else { endSession(id) }
    }
  }

  // MARK: Visitors

  private func accept() {
    guard let listener else { return }
    do throws(Errno) {
      let socket = try listener.descriptor.accept()
      let cause = (try? socket.peer()).map { self.cause(ofUser: $0.user) } ?? .strangers
      guard makeRoom(for: cause) else {
        sendRefusal(Refusal(status: .tooManySessions, text: "too many at the door"), on: socket)
        shared.metrics.sessionRefused()
        return
      }
      try admit(socket, cause)
    } catch {
      Log.warning("accept: \(error.message)\(error == .tooManyOpen ? Self.limitHint : "")")
      // When this process is short of something, the queue stays full and the listener readable: do
      // not spin on it.
      if [.tooManyOpen, .tooManyOpenInSystem, .outOfMemory].contains(error) {
        Clock.sleep(nanoseconds: 50_000_000)
      }
    }
  }

  private static let limitHint = "; raise the limit of open descriptors (RLIMIT_NOFILE)"

  private func admit(_ socket: consuming FileDescriptor, _ cause: Log.Cause) throws(Errno) {
    try socket.receiveCredentials()
    lastSession += 1
    try poller.add(socket, token: Token.visitor(lastSession))
    visitors[lastSession] = Visitor(socket, cause, now: Clock.monotonicNanoseconds())
  }

  private func cause(ofUser user: UInt32) -> Log.Cause {
    shared.configuration.users.contains(user) ? .user(user) : .strangers
  }

  /// Whether one more visitor of this kind may wait at the door. When the door is crowded, the
  /// first visitor of the most frequent kind has to go. If that is this visitor's own kind, the
  /// first must have been silent for long. If it is another kind, it goes at once, because it must
  /// keep no other kind out.
  private func makeRoom(for cause: Log.Cause) -> Bool {
    let sameCount = visitors.values.count { $0.cause == cause }
    guard sameCount >= visitorsPerUserMaximum || visitors.count >= visitorsMaximum else {
      return true
    }
    let kinds = Dictionary(grouping: visitors.keys) { visitors[$0]!.cause }
    let most = kinds.max { $0.value.count < $1.value.count }!
    let crowd = sameCount >= min(visitorsPerUserMaximum, most.value.count) ? cause : most.key
    let first = kinds[crowd]!.min()!
    let visitor = visitors[first]!
    let silence = Clock.monotonicNanoseconds() - visitor.cameAt
    guard crowd != cause || silence >= crowdNanoseconds else { return false }
    Log.warning(
      "a connection that said nothing was closed, because others wait at the door", cause: crowd)
    turnAway(first, visitor)
    return true
  }

  private func sendLateVisitorsAway() {
    if visitors.isEmpty { return }
    let latest = Clock.monotonicNanoseconds() - helloNanoseconds
    for (id, visitor) in visitors where visitor.cameAt < latest { turnAway(id, visitor) }
  }

  private func turnAway(_ id: UInt64, _ visitor: Visitor) {
    poller.remove(visitor.socket.descriptor)
    visitors[id] = nil
    ending.clientWasTurnedAway()
  }

  private func greet(_ id: UInt64) {
    guard let visitor = visitors.removeValue(forKey: id) else { return }
    let socket = visitor.socket
    poller.remove(socket.descriptor)
    do throws(Refusal) {
      if let link = try identify(id, socket) {
        try welcome(link)
        return
      }
    } catch {
      sendRefusal(error, on: socket.descriptor)
      shared.metrics.sessionRefused()
      Log.warning("a client was refused: \(error.text)", cause: visitor.cause)
    }
    ending.clientWasTurnedAway()
  }

  /// Checks the user and the hello. Nil for a visitor that left without a word, as a program does
  /// that only looks whether a server listens.
  private func identify(
    _ id: UInt64, _ socket: SharedDescriptor
  ) throws(Refusal) -> SessionLink? {
    let peer = (try? socket.descriptor.peer()) ?? (user: UInt32.max, process: 0)
    guard let process = try receiveHello(on: socket.descriptor) else { return nil }
    guard shared.configuration.users.contains(peer.user) else {
      throw Refusal(
        status: .userRefused,
        text: "user \(peer.user) is not allowed; start the sidecar with --allow-user")
    }
    guard links.count < shared.configuration.sessionsMaximum else {
      throw Refusal(
        status: .tooManySessions, text: "there are \(links.count) sessions already")
    }
    let count = sessionCounts[peer.user] ?? 0
    guard count < shared.configuration.sessionsPerUserMaximum else {
      throw Refusal(
        status: .tooManySessions, text: "user \(peer.user) has \(count) sessions already")
    }
    let processEnd: SharedDescriptor?
    do throws(Errno) {
      processEnd = try self.processEnd(ofPeer: socket.descriptor, process)
    } catch {
      // The client said hello and died: there is nothing to serve.
      return nil
    }
    return SessionLink(
      id: id, socket: socket, user: peer.user, process: process, processEnd: processEnd)
  }

  /// A descriptor that shows the end of the client's process. The kernel gives one for the process
  /// that connected (SO_PEERPIDFD), or else for the process id, which is 0 in another pid
  /// namespace. Nil where neither works: then only the end of the socket shows it. Throws where the
  /// process has ended already.
  private func processEnd(
    ofPeer socket: borrowing FileDescriptor, _ process: Int32
  ) throws(Errno) -> SharedDescriptor? {
    do throws(Errno) {
      let end = try socket.peerEnd()
      // Since Linux 6.16 the dead are shown too.
      if end.awaitReadable(timeoutMilliseconds: 0) { throw Errno.noProcess }
      return SharedDescriptor(end)
    } catch .noProcess {
      throw .noProcess
    } catch {
      // Before Linux 6.5 (ENOPROTOOPT).
    }
    do throws(Errno) {
      if process > 0 { return SharedDescriptor(try FileDescriptor.processEnd(of: process)) }
    } catch .noProcess {
      throw .noProcess
    } catch {
      // This process may have no more descriptors, say.
    }
    if process == 0, !hasToldOfUnseenClients {
      hasToldOfUnseenClients = true
      Log.warning(
        "the end of a client's process cannot be seen from here (another pid namespace, and no"
          + " SO_PEERPIDFD, which Linux 6.5 has): its session ends when no process holds its socket"
          + " any more, children that it forked included")
    }
    return nil
  }

  private func welcome(_ link: SessionLink) throws(Refusal) {
    do throws(Errno) {
      let reactor = try crew.reactorForSession()
      do throws(Errno) {
        let channel = try makeFirstChannel(link, servedBy: reactor)
        links[link.id] = link
        ending.sessionBegan()
        sessionCounts[link.user, default: 0] += 1
        shared.metrics.sessionOpened()
        reactor.send(.adopt(channel))
      } catch {
        poller.remove(link.socket.descriptor)
        crew.giveUpRoom(of: reactor)
        throw error
      }
    } catch .brokenPipe {
      // The client said hello and is gone: no client is refused.
      ending.clientWasTurnedAway()
    } catch {
      let limit = error.limit.map { "; raise \($0)" } ?? ""
      throw Refusal(
        status: .tooManySessions, text: "no session can be made: \(error.message)\(limit)")
    }
  }

  /// Everything that can fail comes before the welcome. Otherwise a client could have a session
  /// that no thread serves.
  private func makeFirstChannel(
    _ link: SessionLink, servedBy reactor: Reactor
  ) throws(Errno) -> Reactor.NewChannel {
    try poller.add(link.socket.descriptor, token: Token.link(link.id))
    if let processEnd = link.processEnd {
      try poller.add(processEnd.descriptor, token: Token.link(link.id))
    }
    guard let number = link.addChannel(reactor, maximum: 1) else {
      preconditionFailure("a new session has no channel")
    }
    let features = shared.service.features
    let regions = try ChannelRegions.create(.fittingThisProcess()) { (control, io) throws(Errno) in
      try sendWelcome(
        session: link.id, features: features, control: control, io: io,
        on: link.socket.descriptor)
    }
    return Reactor.NewChannel(link, number: number, regions)
  }

  // MARK: Sessions

  /// The socket or the process of a session has ended, or the client sent something on the socket,
  /// where it has nothing more to say.
  private func endSession(_ id: UInt64) {
    guard let link = links.removeValue(forKey: id) else { return }
    sessionCounts[link.user]! -= 1
    poller.remove(link.socket.descriptor)
    if let processEnd = link.processEnd { poller.remove(processEnd.descriptor) }
    link.endOfClient()
    ending.sessionEnded(now: Clock.monotonicNanoseconds())
  }
}
