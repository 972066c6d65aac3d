// The thread at the door: it accepts and greets, hands sessions to reactors, notices the dead, and
// reads the signals, those of broken leases among them. It never touches a session's insides.

internal import SluiceChannel
internal import SluiceSystem
internal import SluiceWire

/// Confined to the thread that calls `run`.
final class Doorman {
  private let shared: SharedState
  private let signals: Signals
  private let listener: SharedDescriptor?
  /// Whoever needs the sidecar holds the other end.
  private let lifeline: SharedDescriptor?
  private let poller: Poller

  private var visitors: [UInt64: Visitor] = [:]
  private var links: [UInt64: SessionLink] = [:]
  private let crew: Crew
  private var homes: [UInt64: Reactor] = [:]
  /// How many sessions each user has.
  private var sessionCounts: [UInt32: Int] = [:]
  private var lastSession: UInt64 = 0
  private var ending: Ending
  private var hasToldOfUnseenClients = false

  private var outsiders = Outsiders<SharedFile>()
  /// Rings when the reactors have settled for an outsider.
  private let bell: Bell

  /// Somebody who has connected and not yet said hello.
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

  /// A hello takes a client microseconds; one that has not come by then never will.
  private let helloNanoseconds: Int64 = 5_000_000_000
  private let visitorsMaximum = 256
  /// Of one user's, or of all those who are not served, together.
  private let visitorsPerUserMaximum = 128
  /// After this a visitor who has said nothing makes room for others of his user.
  private let crowdNanoseconds: Int64 = 250_000_000
  /// How long an outsider may be kept waiting for what our clients have submitted: one that is in the
  /// midst of a sync must not hold up everybody at the door.
  private let outsiderNanoseconds: Int64 = 200_000_000

  /// What a poller token means: the two low bits, with a session's or visitor's number above.
  private enum Token {
    static let listener: UInt64 = 0
    static let signals: UInt64 = 4
    static let lifeline: UInt64 = 8
    static let bell: UInt64 = 12
    static func visitor(_ id: UInt64) -> UInt64 { id << 2 | 1 }
    static func link(_ id: UInt64) -> UInt64 { id << 2 | 2 }
  }

  /// Takes over what it listens to. `firstVisitor` is the client of a private sidecar.
  init(
    shared: SharedState, signals: consuming Signals, listener: SharedDescriptor?,
    firstVisitor: consuming FileDescriptor?, lifeline: SharedDescriptor?
  ) throws(Errno) {
    self.shared = shared
    // A private sidecar has one session, and that is one reactor's.
    crew = Crew(
      reactorCount: firstVisitor == nil ? shared.configuration.reactorCount : 1,
      metrics: shared.metrics)
    poller = try Poller()
    bell = try Bell()
    try poller.add(bell.descriptor, token: Token.bell)
    try poller.add(signals.descriptor, token: Token.signals)
    self.signals = signals
    let linger = Int64(shared.configuration.linger) * 1_000_000
    ending = Ending(
      firstVisitor != nil
        ? .withClient : lifeline != nil ? .withLifeline(lingerNanoseconds: linger) : .bySignal)
    self.listener = listener
    self.lifeline = lifeline
    if let lifeline { try poller.add(lifeline.descriptor, token: Token.lifeline) }
    if let listener { try poller.add(listener.descriptor, token: Token.listener) }
    if let visitor = firstVisitor.take() { try admit(visitor, .own) }
  }

  /// Keeps the door until the sidecar ends.
  func run() throws(Errno) {
    try shared.life.life.begin()
    defer { shared.life.life.end() }
    while true {
      let now = Clock.monotonicNanoseconds()
      let remaining = ending.remainingNanoseconds(now: now)
      if remaining == 0 { break }
      if let token = try poller.wait(timeoutMilliseconds: timeout(remaining, now: now)) {
        answer(token)
      }
      letOutsidersIn()
      sendLateVisitorsAway()
    }
    // Nobody takes a standing lock any more that would go unnoticed.
    shared.life.life.end()
    crew.stop()
    shared.workers.stop()
    shared.windowKeeper.stop()
  }

  /// How long to wait for the next event, in milliseconds; nil without limit.
  private func timeout(_ remaining: Int64?, now: Int64) -> Int32? {
    var nanoseconds = remaining
    if !visitors.isEmpty { nanoseconds = min(nanoseconds ?? .max, 1_000_000_000) }
    if let next = outsiders.nextDeadline {
      nanoseconds = min(nanoseconds ?? .max, max(0, next - now))
    }
    return nanoseconds.map { Int32(clamping: $0 / 1_000_000 + 1) }
  }

  private func answer(_ token: UInt64) {
    switch token {
    case Token.bell: bell.silence()
    case Token.listener: accept()
    case Token.signals: readSignals()
    case Token.lifeline:
      if let lifeline { poller.remove(lifeline.descriptor) }
      ending.lifelineWasCut(now: Clock.monotonicNanoseconds())
    default:
      let id = token >> 2
      if token & 3 == 1 { greet(id) } else { endSession(id) }
    }
  }

  // MARK: Signals

  private func readSignals() {
    while let signal = signals.next() {
      switch signal {
      case .stop: ending.signalled(now: Clock.monotonicNanoseconds())
      case .leaseBreak(let descriptor): answerLeaseBreak(descriptor: descriptor)
      case .leaseBreaksLost: answerLeaseBreak(descriptor: nil)
      }
    }
  }

  /// Lets the outsiders in that wait for the file of that descriptor, or for any (nil), once the
  /// reactors have done what clients submitted. The door is kept meanwhile.
  private func answerLeaseBreak(descriptor: Int32?) {
    let files = shared.files.files(ofDescriptor: descriptor)
    let file = descriptor == nil ? nil : files.first
    let reactors = crew.others(than: nil, using: file)
    let settlement = Settlement(file: file, asker: .doorman(bell), askedCount: reactors.count)
    for reactor in reactors { reactor.send(.settle(settlement)) }
    outsiders.append(
      files, until: { settlement.isDone },
      deadline: Clock.monotonicNanoseconds() + outsiderNanoseconds)
    letOutsidersIn()
  }

  private func letOutsidersIn() {
    let due = outsiders.takeDue(now: Clock.monotonicNanoseconds())
    for file in due { file.answerLeaseBreak() }
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
      // Where it is our means that are short the queue stays full, and the listener readable: do not
      // spin on it.
      if [.tooManyOpen, .tooManyOpenInSystem, .outOfMemory].contains(error) {
        Clock.sleep(nanoseconds: 50_000_000)
      }
    }
  }

  private static let limitHint = "; raise the limit of open files"

  private func admit(_ socket: consuming FileDescriptor, _ cause: Log.Cause) throws(Errno) {
    try socket.receiveCredentials()
    lastSession += 1
    try poller.add(socket, token: Token.visitor(lastSession))
    visitors[lastSession] = Visitor(socket, cause, now: Clock.monotonicNanoseconds())
  }

  private func cause(ofUser user: UInt32) -> Log.Cause {
    shared.configuration.users.contains(user) ? .user(user) : .strangers
  }

  /// Whether one more visitor of this kind may stand at the door. Where it is crowded, the first of
  /// those who are the most has to go: of his own kind only if he has been silent for long, of
  /// another, who shall keep nobody out, at once.
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
    Log.warning("a connection that said nothing was closed, for others came", cause: crowd)
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

  /// Checks the user and the hello. Nil for a visitor who left without a word, as one does who only
  /// wanted to see whether somebody is there.
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
      // It said hello and died: there is nobody to serve.
      return nil
    }
    return SessionLink(
      id: id, socket: socket, user: peer.user, process: process, processEnd: processEnd)
  }

  /// What shows the end of the client's process: the kernel's word on who connected, or else the
  /// process of that number, which is 0 in another pid namespace. Nil where neither is to be had, and
  /// end-of-file must do. Throws where the process has ended already.
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
          + " SO_PEERPIDFD, which Linux 6.5 has): its locks are free when nobody holds its socket"
          + " any more, children that it forked included")
    }
    return nil
  }

  private func welcome(_ link: SessionLink) throws(Refusal) {
    do throws(Errno) {
      let reactor = try crew.reactorForSession()
      do throws(Errno) {
        let session = try makeSession(link)
        links[link.id] = link
        ending.sessionBegan()
        sessionCounts[link.user, default: 0] += 1
        homes[link.id] = reactor
        shared.metrics.sessionOpened()
        session.reactorNumber = reactor.number
        reactor.send(.adopt(session))
      } catch {
        poller.remove(link.socket.descriptor)
        reactor.release(Reactor.channelsForSession)
        throw error
      }
    } catch .brokenPipe {
      // It said hello and is gone: nobody is refused.
      ending.clientWasTurnedAway()
    } catch {
      throw Refusal(status: .tooManySessions, text: "no session can be made: \(error.message)")
    }
  }

  /// Everything that can fail comes before the welcome, or the client had a session that nobody
  /// serves.
  private func makeSession(_ link: SessionLink) throws(Errno) -> ProxySession {
    try poller.add(link.socket.descriptor, token: Token.link(link.id))
    if let processEnd = link.processEnd {
      try poller.add(processEnd.descriptor, token: Token.link(link.id))
    }
    let usesHostPaths = shared.root.usesHostPaths
    let shortcuts = shared.configuration.shortcuts
    let shape = ChannelShape.fitting(fileByteCountMaximum: fileSizeLimit())
    let regions = try ChannelRegions.create(shape) { (control, io) throws(Errno) in
      try sendWelcome(
        session: link.id, usesHostPaths: usesHostPaths, shortcuts: shortcuts, control: control,
        io: io,
        on: link.socket.descriptor)
    }
    return ProxySession(link: link, shared: shared, firstRegions: regions)
  }

  // MARK: Sessions

  /// The socket or the process of a session has ended, or said something where nothing is to be
  /// said any more.
  private func endSession(_ id: UInt64) {
    guard let link = links.removeValue(forKey: id) else { return }
    sessionCounts[link.user]! -= 1
    poller.remove(link.socket.descriptor)
    if let processEnd = link.processEnd { poller.remove(processEnd.descriptor) }
    homes.removeValue(forKey: id)?.send(.sessionEnded(id))
    ending.sessionEnded(now: Clock.monotonicNanoseconds())
  }
}

extension Errno {
  /// The system's description.
  var message: String { unsafe String(cString: text) }
}
