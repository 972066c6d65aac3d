// One thread that does the work of its sessions: it polls their channels while there is work, then
// sleeps on all of them at once. Whatever belongs to a session is touched by this thread only;
// others reach it through the mailbox.
//
// A request that cannot be done yet stays in its slot, and its channel stands aside until the next
// try.

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
    /// The sync workers have done what one of its requests needs.
    case synced(SyncErrand)
    /// Another reactor is about to answer that a file is busy: settle what stands here, then say so.
    case settle(Settlement)
    /// All others have settled what they had.
    case settled(Settlement)
    case stop
  }

  let number: Int
  let crew: Crew
  private let mailbox = FutexLock<[Letter]>([])
  private let wake: WakeWord
  /// When to look at the requests that stand in line for a lock.
  let alarm: ReactorAlarm
  private let channelCount = Atomic<Int>(0)

  /// A session has a channel for its process and nearly always one for a database: who is let in
  /// has room for both.
  static let channelsForSession = 2

  init(number: Int, crew: Crew) {
    self.number = number
    self.crew = crew
    wake = WakeWord()
    alarm = ReactorAlarm(wake: wake)
  }

  func send(_ letter: Letter) {
    mailbox.withLock { $0.append(letter) }
    wake.signal()
  }

  /// How many channels it has, or room was kept for.
  var load: Int { channelCount.load(ordering: .relaxed) }

  /// Whether so many channels more fit one thread's sleep. Counts them if so.
  func reserve(_ count: Int) -> Bool {
    let sum = channelCount.wrappingAdd(count, ordering: .relaxed).newValue
    if sum <= ChannelSleep.channelCountMaximum { return true }
    release(count)
    return false
  }

  func release(_ count: Int) { channelCount.wrappingSubtract(count, ordering: .relaxed) }

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

  var wakeWord: WakeWord { wake }
}

/// The reactor's state, confined to its thread.
final class ReactorLoop {
  let reactor: Reactor
  let counts: OperationCounts
  private(set) var sessions: [UInt64: ProxySession] = [:]
  /// The channels of all sessions.
  var polled = PollSet()
  /// Those that stand aside until a time.
  private var resting: [ProxyChannel] = []
  private var nextTryAt: Int64?
  /// Those that stand aside until their oldest request is called, or its time is up.
  var inLine: [ProxyChannel] = []
  private var sleep = ChannelSleep()
  private var lettersSeen: UInt32 = 0
  private var isStopping = false
  /// While what is in others' way is settled, nothing else is.
  var isSettling = false
  /// When the next kept lock is due.
  private var keptLockDue: Int64?
  /// How long syncs took lately, on average.
  var usualSyncNanoseconds: Int64 = 0
  /// How much was done since the last look at cold channels, and since the last cooling.
  private var stepsSinceLook = 0
  private var stepsSinceCooling = 0

  /// How long to poll without work before going to sleep: a sleeper costs the next request a wake
  /// of 5 to 60 µs (measured on a 2-core virtual machine), and a pause in a busy client is shorter.
  private let policy = SpinPolicy(nanoseconds: 100_000)
  /// The same where others need the processor.
  private let shortPolicy = SpinPolicy(nanoseconds: 2_000)
  /// How many requests one channel may have done before the next one has its turn.
  private let turnLength = 16
  /// After how many requests or idle rounds some cold channels are looked at, and how many: a
  /// hundred idle channels cost a busy one 1 to 3 %, and their first request waits for some 100
  /// requests of others at most. (Looking at one of them costs some 10 ns, for it is in no cache.)
  private let lookInterval = 32
  private let lookCount = 32
  /// After how many a channel without requests is cold: about a millisecond.
  private let coolingInterval = 4096
  /// How long to rest before a request that could not be done is tried again, and for how long at
  /// all: another sidecar has 45 seconds to answer the break of its lease; a lock that stands is had
  /// at the end of a slice; a sidecar whose client died gives back his locks within a millisecond or
  /// few.
  private let leasePatience = Patience(rest: 500_000, whole: 50_000_000_000)
  private let slicePatience = Patience(rest: 50_000, whole: 2_000_000)
  private let readerPatience = Patience(rest: 20_000, whole: 200_000)
  private let deathPatience = Patience(rest: 200_000, whole: 10_000_000)

  /// In nanoseconds.
  private struct Patience {
    var rest: Int64
    var whole: Int64
  }
  /// How long other reactors may take to settle; one may be in the midst of a sync.
  let settlingNanoseconds: Int64 = 1_000_000_000

  init(reactor: Reactor, counts: OperationCounts) {
    self.reactor = reactor
    self.counts = counts
  }

  func run() {
    reactor.crew.noteAwake()
    reactor.alarm.belongsToThisThread()
    while true {
      readMail()
      if isStopping { break }
      // Requests first: who comes back for a lock is not late because this thread was.
      let worked = pollChannels()
      if reactor.alarm.takeIfDue() { lookAtWaiters() } else if !worked && !pollIdly() { rest() }
    }
    reactor.crew.noteAsleep()
    for session in sessions.values { session.end() }
  }

  // MARK: Polling

  /// Serves every hot channel that has requests once; false when none had.
  func pollChannels() -> Bool {
    var worked = false
    var index = 0
    while let channel = polled.nextHot(&index) {
      worked = true
      // It may be dropped on the way.
      let session = channel.session
      serve(channel, atMost: turnLength)
      polled.served(channel, index)
      if keptLockDue != nil || !session.keepers.isEmpty { dropKeptLocks(after: session) }
    }
    stepsSinceLook += 1
    if stepsSinceLook >= lookInterval {
      stepsSinceCooling += stepsSinceLook
      stepsSinceLook = 0
      if polled.lookAtCold(lookCount) { worked = true }
      // Now and then, for it costs a look at the clock.
      resumeDue()
      if stepsSinceCooling >= coolingInterval {
        stepsSinceCooling = 0
        polled.cool()
      }
    }
    return worked
  }

  /// Polls without work for a while; true when some, or a letter, has come.
  private func pollIdly() -> Bool {
    if reactor.crew.hasRoomToSpin { return spin(policy) }
    return spin(shortPolicy)
  }

  private func spin(_ policy: SpinPolicy) -> Bool {
    var steps = 0
    return policy.spin {
      if polled.hasRequest || reactor.alarm.isDue { return true }
      steps += 1
      if steps & 15 == 0, polled.lookAtCold(lookCount) { return true }
      return reactor.wakeWord.signals != lettersSeen
    }
  }

  private func rest() {
    polled.cool()
    stepsSinceCooling = 0
    if keptLockDue != nil { dropKeptLocks() }
    var due = keptLockDue
    if let nextTryAt { due = min(due ?? nextTryAt, nextTryAt) }
    let alarmTime = reactor.alarm.time
    if alarmTime != .max { due = min(due ?? alarmTime, alarmTime) }
    sleep.prepare(wake: reactor.wakeWord, signals: lettersSeen)
    if polled.prepare(&sleep) {
      reactor.crew.noteAsleep()
      sleep.sleep(timeoutNanoseconds: due.map { max(0, $0 - Clock.monotonicNanoseconds()) })
      reactor.crew.noteAwake()
    }
    polled.endSleep()
    _ = polled.lookAtAllCold()
    resumeDue()
  }

  // MARK: Standing aside

  /// Takes a channel out of the round; until `time`, if it is not put back before.
  func setAside(_ channel: ProxyChannel, until time: Int64?) {
    if channel.retryAt != nil { forgetRest(channel) }
    polled.remove(channel)
    channel.retryAt = time
    guard let time else { return }
    resting.append(channel)
    nextTryAt = min(nextTryAt ?? time, time)
  }

  /// Its oldest request may be tried again, or is answered.
  func putBack(_ channel: ProxyChannel) {
    if channel.retryAt != nil { forgetRest(channel) }
    polled.add(channel)
  }

  private func resumeDue() {
    guard let nextTryAt else { return }
    let now = Clock.monotonicNanoseconds()
    guard now >= nextTryAt else { return }
    for channel in resting.filter({ $0.retryAt! <= now }) { putBack(channel) }
  }

  private func forgetRest(_ channel: ProxyChannel) {
    channel.retryAt = nil
    resting.removeAll { $0 === channel }
    nextTryAt = resting.compactMap(\.retryAt).min()
  }

  // MARK: Serving

  func serve(_ channel: ProxyChannel, atMost limit: Int) {
    // It may be dropped on the way.
    let session = channel.session
    defer { withExtendedLifetime(session) {} }
    do throws(ProtocolViolation) {
      for _ in 0..<limit {
        guard let request = try channel.end.nextRequest() else { return }
        guard try finish(request, on: channel) else { return }
      }
    } catch {
      let link = channel.session.link
      Log.warning("\(link.description) broke the protocol: \(error)", cause: .user(link.user))
      drop(channel.session)
    }
  }

  /// Does a request and answers it; false when it has to wait.
  private func finish(
    _ request: Request, on channel: ProxyChannel
  ) throws(ProtocolViolation) -> Bool {
    do throws(ServeError) {
      let now = Clock.coarseNanoseconds()
      channel.servedAt = now
      stepsSinceLook += 1
      try serve(request, on: channel, now: now)
      if case .sync = channel.awaits { return false }
    } catch {
      switch error {
      case .violation(let violation): throw violation
      case .file(.standsInLine):
        standInLine(channel)
        return false
      case .file(.tryLater) where putOff(channel, leasePatience): return false
      case .file(.standsYet) where putOff(channel, slicePatience): return false
      case .file(.readersYet) where putOff(channel, readerPatience): return false
      case .file(.busyPerhaps) where putOff(channel, deathPatience),
        .file(.busyPendingPerhaps) where putOff(channel, deathPatience):
        return false
      // Who stood in line is told that his time is up, and asks for the lock itself once more.
      case .file(.busy) where request.operation != .lockAwait && !isSettled(channel),
        .file(.busyPending) where !isSettled(channel),
        .file(.readersYet) where !isSettled(channel):
        return settle(for: request, on: channel)
      case .file(let error):
        let answer = error.status
        channel.end.complete(answer.status, errno: answer.errno)
      }
    }
    answered(request.operation, on: channel)
    return true
  }

  /// The oldest request of a channel was answered.
  @inline(__always)
  func answered(_ operation: Operation?, on channel: ProxyChannel) {
    counts.count(operation)
    channel.giveUpAt = nil
    if case .nothing = channel.awaits { return }
    if case .turn = channel.awaits { endWaiting(channel) }
    channel.awaits = .nothing
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
    case .sync, .delete:
      try sync(request, on: channel, now: now)
      stepsSinceLook = lookInterval
    default: try channel.session.serve(request, operation, on: channel, now: now)
    }
  }

  /// Leaves the request in its slot until later; false when it has been tried long enough.
  private func putOff(_ channel: ProxyChannel, _ patience: Patience) -> Bool {
    let now = Clock.monotonicNanoseconds()
    let giveUpAt = channel.giveUpAt ?? now + patience.whole
    guard now < giveUpAt else { return false }
    channel.giveUpAt = giveUpAt
    setAside(channel, until: now + patience.rest)
    return true
  }

  /// Sees to the locks that this session keeps, and to all of them when one is due.
  private func dropKeptLocks(after session: ProxySession) {
    if let keptLockDue, Clock.coarseNanoseconds() >= keptLockDue { return dropKeptLocks() }
    guard let due = session.nextKeptLockDue else { return }
    keptLockDue = min(keptLockDue ?? due, due)
  }

  private func dropKeptLocks() {
    let now = Clock.coarseNanoseconds()
    keptLockDue = sessions.values.compactMap { $0.dropKeptLocks(now: now) }.min()
  }

  // MARK: Sessions and channels

  func readMail() {
    let signals = reactor.wakeWord.signals
    if signals == lettersSeen { return }
    lettersSeen = signals
    for letter in reactor.takeLetters() {
      switch letter {
      case .adopt(let session):
        sessions[session.link.id] = session
        session.alarm = reactor.alarm
        for channel in session.channels { polled.add(channel) }
      case .sessionEnded(let id):
        guard let session = sessions[id] else { continue }
        finishSubmitted(session)
        drop(session)
      case .synced(let errand): finish(errand)
      case .settle(let settlement):
        settleHere(for: settlement.file, besides: nil)
        settlement.oneHasSettled()
      case .settled(let settlement): resume(after: settlement)
      case .stop:
        isStopping = true
      }
    }
  }

  /// A client that died meant what it had submitted; whatever of it can be done is done.
  func finishSubmitted(_ session: ProxySession) {
    for channel in session.channels where channel.end.hasRequest {
      if case .sync = channel.awaits { continue }
      serve(channel, atMost: ChannelShape.standard.slotCount)
      // A violation has ended the session: a file opened after that would never be closed.
      guard sessions[session.link.id] != nil else { return }
    }
  }

  func drop(_ session: ProxySession) {
    guard sessions.removeValue(forKey: session.link.id) != nil else { return }
    let count = max(Reactor.channelsForSession, session.channels.count)
    for channel in session.channels { forget(channel) }
    session.end()
    // The client sees it at once, and the doorman hears that it is over.
    session.link.socket.descriptor.shutDown()
    reactor.release(count)
    session.shared.metrics.sessionClosed()
  }

  private func forget(_ channel: ProxyChannel) {
    inLine.removeAll { $0 === channel }
    if channel.retryAt != nil { forgetRest(channel) }
    polled.remove(channel)
  }

  private func openChannel(_ home: ProxyChannel) throws(ServeError) {
    let session = home.session
    guard session.channels.count < session.shared.configuration.channelsPerSessionMaximum else {
      throw .file(.tooManyFiles)
    }
    let isReserved = session.channels.count < Reactor.channelsForSession
    guard isReserved || reactor.reserve(1) else { throw .file(.tooManyFiles) }
    let number = session.nextChannelNumber
    do throws(Errno) {
      let shape = ChannelShape.fitting(fileByteCountMaximum: fileSizeLimit())
      let regions = try ChannelRegions.create(shape) { (control, io) throws(Errno) in
        try sendChannel(
          number: number, control: control, io: io, on: session.link.socket.descriptor)
      }
      polled.add(session.addChannel(regions))
    } catch {
      if !isReserved { reactor.release(1) }
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
    forget(channel)
    session.removeChannel(channel)
    if session.channels.count >= Reactor.channelsForSession { reactor.release(1) }
    home.end.complete(.done)
  }
}
