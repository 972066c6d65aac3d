// One thread that does the work of its sessions: it polls their channels while there is work, then
// sleeps on all of them at once. Whatever belongs to a session is touched by this thread only;
// others reach it through the mailbox.
//
// A request that cannot be done yet stays in its slot, and its channel rests until the next try.

internal import SluiceChannel
internal import SluiceSystem
internal import SluiceWire
internal import Synchronization

final class Reactor: Sendable {
  enum Letter: @unchecked Sendable {
    /// From now on this session belongs to the reactor; the sender has let go of it.
    case adopt(ProxySession)
    /// The client is gone: finish what it had submitted, then forget it.
    case sessionEnded(UInt64)
    case stop
  }

  private let mailbox = FutexLock<[Letter]>([])
  private let wake: WakeWord
  /// When to look at the requests that stand in line for a lock.
  let alarm: ReactorAlarm
  private let channelCount = Atomic<Int>(0)

  init() {
    wake = WakeWord()
    alarm = ReactorAlarm(wake: wake)
  }

  func send(_ letter: Letter) {
    mailbox.withLock { $0.append(letter) }
    wake.signal()
  }

  /// Whether another channel fits one thread's sleep. Counts it if so.
  func reserveChannel() -> Bool {
    let count = channelCount.wrappingAdd(1, ordering: .relaxed).newValue
    if count <= ChannelSleep.channelCountMaximum { return true }
    channelCount.wrappingSubtract(1, ordering: .relaxed)
    return false
  }

  func releaseChannels(_ count: Int) {
    channelCount.wrappingSubtract(count, ordering: .relaxed)
  }

  /// Works until told to stop. Returns after the sessions are closed.
  func run(metrics: Metrics) {
    let loop = ReactorLoop(reactor: self, counts: metrics.takeRow())
    loop.run()
  }

  fileprivate func takeLetters() -> [Letter] {
    mailbox.withLock { letters in
      defer { letters = [] }
      return letters
    }
  }

  fileprivate var wakeWord: WakeWord { wake }
}

/// The reactor's state, confined to its thread.
private final class ReactorLoop {
  private let reactor: Reactor
  private let counts: OperationCounts
  private var sessions: [UInt64: ProxySession] = [:]
  /// Every channel of every session, in the order in which they are polled.
  private var channels: [ProxyChannel] = []
  private var sleep = ChannelSleep()
  private var lettersSeen: UInt32 = 0
  private var isStopping = false
  private var isEndingSessions = false
  /// When the next kept lock is due.
  private var keptLockDue: Int64?

  /// How long to poll without work before going to sleep: a sleeper costs the next request a wake
  /// of 5 to 60 µs (measured on a 2-core virtual machine), and a pause in a busy client is shorter.
  /// Always the same, for two sides that both learn to sleep early never learn anything else: a
  /// round trip then took 10 µs for good.
  private var policy = SpinPolicy(range: 100_000...100_000)
  /// How many requests one channel may have done before the next one has its turn.
  private let turnLength = 16
  /// How long to rest before a request that could not be done is tried again, and for how long at
  /// all: another sidecar has 45 seconds to answer the break of its lease; one whose client died
  /// gives back his locks within a millisecond or few.
  private let leasePatience = Patience(rest: 500_000, whole: 50_000_000_000)
  private let deathPatience = Patience(rest: 200_000, whole: 10_000_000)

  /// In nanoseconds.
  private struct Patience {
    var rest: Int64
    var whole: Int64
  }

  init(reactor: Reactor, counts: OperationCounts) {
    self.reactor = reactor
    self.counts = counts
  }

  func run() {
    reactor.alarm.belongsToThisThread()
    while true {
      readMail()
      if isStopping { break }
      // Requests first: who comes back for a lock is not late because this thread was.
      let worked = pollChannels()
      if reactor.alarm.takeIfDue() { lookAtWaiters() } else if !worked && !pollIdly() { rest() }
    }
    for session in sessions.values { session.end() }
  }

  // MARK: Polling

  /// Serves every channel that has requests once; false when none had.
  private func pollChannels() -> Bool {
    var worked = false
    var index = 0
    while index < channels.count {
      let channel = channels[index]
      index += 1
      guard channel.end.hasRequest, isReady(channel) else { continue }
      worked = true
      // It may be dropped on the way.
      let session = channel.session
      serve(channel)
      if keptLockDue != nil || !session.keepers.isEmpty { dropKeptLocks() }
    }
    return worked
  }

  /// Polls without work for a while; true when some, or a letter, has come.
  private func pollIdly() -> Bool {
    policy.spin {
      for channel in channels where channel.end.hasRequest && channel.retryAt == nil {
        if channel.waiter == nil { return true }
      }
      if reactor.alarm.isDue { return true }
      return reactor.wakeWord.signals != lettersSeen
    }
  }

  private func rest() {
    if keptLockDue != nil { dropKeptLocks() }
    var due = keptLockDue
    let alarmTime = reactor.alarm.time
    if alarmTime != .max { due = min(due ?? alarmTime, alarmTime) }
    var awake: [ProxyChannel] = []
    for channel in channels {
      if channel.waiter != nil {
        continue
      } else if let retryAt = channel.retryAt {
        due = min(due ?? retryAt, retryAt)
      } else {
        awake.append(channel)
      }
    }
    let timeout = due.map { max(0, $0 - Clock.monotonicNanoseconds()) }
    sleep.sleep(
      on: awake.map(\.end), wake: reactor.wakeWord, signals: lettersSeen,
      timeoutNanoseconds: timeout)
  }

  /// Tries the requests again that stand in line for a lock and may have come to their turn.
  private func lookAtWaiters() {
    let now = Clock.monotonicNanoseconds()
    var index = 0
    while index < channels.count {
      let channel = channels[index]
      index += 1
      if let waiter = channel.waiter, waiter.lookAt <= now { serve(channel) }
    }
    for channel in channels { if let waiter = channel.waiter { reactor.alarm.set(waiter.lookAt) } }
  }

  private func isReady(_ channel: ProxyChannel) -> Bool {
    if channel.waiter != nil { return false }
    guard let retryAt = channel.retryAt else { return true }
    return Clock.monotonicNanoseconds() >= retryAt
  }

  // MARK: Serving

  private func serve(_ channel: ProxyChannel) {
    // It may be dropped on the way.
    let session = channel.session
    defer { withExtendedLifetime(session) {} }
    do throws(ProtocolViolation) {
      for _ in 0..<turnLength {
        guard let request = try channel.end.nextRequest() else { return }
        guard try finish(request, on: channel) else { return }
      }
    } catch {
      Log.warning("\(channel.session.link.description) broke the protocol: \(error)")
      drop(channel.session)
    }
  }

  /// Does a request and answers it; false when it has to wait.
  private func finish(
    _ request: Request, on channel: ProxyChannel
  ) throws(ProtocolViolation) -> Bool {
    do throws(ServeError) {
      try serve(request, on: channel, now: Clock.coarseNanoseconds())
    } catch {
      switch error {
      case .violation(let violation): throw violation
      case .file(.standsInLine): return false
      case .file(.tryLater) where putOff(channel, leasePatience): return false
      case .file(.busyPerhaps) where putOff(channel, deathPatience),
        .file(.busyPendingPerhaps) where putOff(channel, deathPatience):
        return false
      case .file(.busy) where endDeadSessions(), .file(.busyPending) where endDeadSessions():
        // Whoever was in the way may be gone: the request is tried again at once, unless it was
        // one of theirs.
        return sessions[channel.session.link.id] != nil
      case .file(let error):
        let answer = error.status
        channel.end.complete(answer.status, errno: answer.errno)
      }
    }
    counts.count(request)
    channel.retryAt = nil
    channel.giveUpAt = nil
    channel.waiter = nil
    return true
  }

  private func serve(
    _ request: Request, on channel: ProxyChannel, now: Int64
  ) throws(ServeError) {
    guard let operation = request.operation else {
      channel.end.complete(.unknownOperation)
      return
    }
    if operation.hasNoArguments {
      _ = try channel.session.arguments(request, channel, as: NoFields.self)
    }
    switch operation {
    case .channelOpen: try openChannel(channel)
    case .channelClose: try closeChannel(request, channel)
    default: try channel.session.serve(request, operation, on: channel, now: now)
    }
  }

  /// Leaves the request in its slot until later; false when it has been tried long enough.
  private func putOff(_ channel: ProxyChannel, _ patience: Patience) -> Bool {
    let now = Clock.monotonicNanoseconds()
    let giveUpAt = channel.giveUpAt ?? now + patience.whole
    guard now < giveUpAt else { return false }
    channel.giveUpAt = giveUpAt
    channel.retryAt = now + patience.rest
    return true
  }

  private func dropKeptLocks() {
    let now = Clock.coarseNanoseconds()
    keptLockDue = sessions.values.compactMap { $0.dropKeptLocks(now: now) }.min()
  }

  // MARK: Sessions and channels

  private func readMail() {
    let signals = reactor.wakeWord.signals
    if signals == lettersSeen { return }
    lettersSeen = signals
    for letter in reactor.takeLetters() {
      switch letter {
      case .adopt(let session):
        sessions[session.link.id] = session
        session.alarm = reactor.alarm
        channels.append(contentsOf: session.channels)
      case .sessionEnded(let id):
        guard let session = sessions[id] else { continue }
        finishSubmitted(session)
        drop(session)
      case .stop:
        isStopping = true
      }
    }
  }

  /// A client that died meant what it had submitted; whatever of it can be done is done.
  private func finishSubmitted(_ session: ProxySession) {
    for channel in session.channels where channel.end.hasRequest {
      serve(channel)
      // A violation has ended the session: a file opened after that would never be closed.
      guard sessions[session.link.id] != nil else { return }
    }
  }

  /// Ends the sessions whose clients died since the doorman looked; whether there were any. A lock
  /// of a dead client must not make anybody busy: SQLite's own VFS gives it back as he dies.
  private func endDeadSessions() -> Bool {
    // What a dead client had submitted may be refused as well: that ends nobody.
    if isEndingSessions { return false }
    isEndingSessions = true
    defer { isEndingSessions = false }
    let dead = sessions.values.filter(\.link.isClientGone)
    for session in dead {
      finishSubmitted(session)
      drop(session)
    }
    return !dead.isEmpty
  }

  private func drop(_ session: ProxySession) {
    guard sessions.removeValue(forKey: session.link.id) != nil else { return }
    let count = session.channels.count
    channels.removeAll { $0.session === session }
    session.end()
    // The client sees it at once, and the doorman hears that it is over.
    session.link.socket.descriptor.shutDown()
    reactor.releaseChannels(count)
    session.shared.metrics.sessionClosed()
  }

  private func openChannel(_ home: ProxyChannel) throws(ServeError) {
    let session = home.session
    guard reactor.reserveChannel() else { throw .file(.tooManyFiles) }
    let number = session.nextChannelNumber
    do throws(Errno) {
      let regions = try ChannelRegions.create(.standard) { (control, io) throws(Errno) in
        try sendChannel(
          number: number, control: control, io: io, on: session.link.socket.descriptor)
      }
      channels.append(session.addChannel(regions))
    } catch {
      reactor.releaseChannels(1)
      throw .file(.system(error))
    }
    home.end.complete(.done, ChannelFields(channel: UInt64(number)))
  }

  private func closeChannel(_ request: Request, _ home: ProxyChannel) throws(ServeError) {
    let number: UInt64
    do throws(ProtocolViolation) {
      number = try home.end.arguments(of: request, as: ChannelFields.self).channel
    } catch {
      throw .violation(error)
    }
    let session = home.session
    guard let channel = session.channels.first(where: { UInt64($0.number) == number }),
      channel !== home, channel.number != 0
    else { throw .file(.misuse) }
    channels.removeAll { $0 === channel }
    session.removeChannel(channel)
    reactor.releaseChannels(1)
    home.end.complete(.done)
  }
}
