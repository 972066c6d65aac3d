// The work of one thread that serves. It polls its channels while there is work, then sleeps on all
// of them at once. Only this thread touches its sessions; other threads reach it through the
// mailbox.
//
// A request that cannot be done yet stays in its slot, and its channel is at rest until the next
// try.

internal import SluiceChannel
internal import SluiceSystem
internal import SluiceWire

/// Confined to the thread that calls `run`.
final class ReactorLoop {
  let reactor: Reactor
  let shared: SharedState
  let placement: any Placement
  private let spinning: Spinning
  let counts: OperationCounts
  private let operations: ClosedRange<UInt16>
  /// The service's part in this thread.
  private(set) var service: (any ServiceThread)!
  var sessions: [UInt64: ServedSession] = [:]
  /// The channels of all sessions.
  var polled = PollSet()
  /// Those at rest until a time.
  private var resting: [ServedChannel] = []
  private var nextTryAt: Int64?
  /// Those at rest until their waiter says so.
  private var waiting: [ServedChannel] = []
  private var sleep = ChannelSleep()
  private var lettersSeen: UInt32 = 0
  private var isStopping = false
  /// How much was done since the last look at cold channels, and since the last cooling.
  private var stepsSinceLook = 0
  private var stepsSinceCooling = 0

  /// How long to poll without work before going to sleep. A sleeper costs the next request a wake
  /// of 5 to 60 µs (measured on a 2-core virtual machine), and a pause in a busy client is shorter.
  private let policy = SpinPolicy(nanoseconds: 100_000)
  /// The same where others need the processor.
  private let shortPolicy = SpinPolicy(nanoseconds: 2_000)
  private var crowd = Crowd()
  /// How many requests of one channel are served before the next channel has its turn.
  private let turnLength = 16
  /// After how many requests or idle rounds some cold channels are looked at, and how many. A
  /// hundred idle channels cost a busy one 1 to 3 %, and their first request waits for some 100
  /// requests of others at most. (A look at one of them costs some 10 ns, because it is in no
  /// cache.)
  private let lookInterval = 32
  private let lookCount = 32
  /// After how many a channel without requests is cold: about a millisecond.
  private let coolingInterval = 4096

  /// To be called in the thread that will `run`.
  init(_ reactor: Reactor, _ shared: SharedState, _ spinning: Spinning, placement: any Placement) {
    self.reactor = reactor
    self.shared = shared
    self.spinning = spinning
    self.placement = placement
    counts = shared.metrics.takeRow()
    operations = shared.service.operations
    reactor.alarm.belongsToThisThread()
    service = shared.service.startThread(self)
  }

  /// Works until it is told to stop, or has no channel left where it was started for one. Returns
  /// after the sessions are closed.
  func run() {
    spinning.noteAwake()
    while true {
      readMail()
      if isStopping { break }
      // Requests first: a client that comes back in time is not late because this thread was.
      let worked = pollChannels()
      if reactor.alarm.takeIfDue() { lookAtWaiters() } else if !worked && !pollIdly() { pause() }
    }
    spinning.noteAsleep()
    for session in sessions.values { session.end() }
    service.end()
    reactor.close()
  }

  // MARK: Polling

  /// Serves every hot channel that has requests once; false when none had.
  func pollChannels() -> Bool {
    var worked = false
    var index = 0
    while let channel = polled.nextHot(&index) {
      worked = true
      serve(channel, atMost: turnLength)
      polled.served(channel, index)
    }
    stepsSinceLook += 1
    if stepsSinceLook >= lookInterval {
      stepsSinceCooling += stepsSinceLook
      stepsSinceLook = 0
      if polled.lookAtCold(lookCount) { worked = true }
      // Now and then, because it costs a look at the clock.
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
    if spinning.hasRoom { return spin(policy) }
    return spin(shortPolicy)
  }

  private func spin(_ policy: SpinPolicy) -> Bool {
    // Captured here, because a counted reference in each step doubles the time to see a request.
    let alarm = reactor.alarm
    let wake = reactor.wake
    let seen = lettersSeen
    var steps = 0
    return policy.spin(&crowd) {
      if polled.hasRequest { return true }
      steps += 1
      guard steps & 15 == 0 else { return false }
      return alarm.isDue || wake.signals != seen || polled.lookAtCold(lookCount)
    }
  }

  /// Sleeps until there is work.
  private func pause() {
    polled.cool()
    stepsSinceCooling = 0
    var due = nextTryAt
    let alarmTime = reactor.alarm.time
    if alarmTime != .max { due = min(due ?? alarmTime, alarmTime) }
    sleep.prepare(wake: reactor.wake, signals: lettersSeen)
    if polled.prepare(&sleep) {
      spinning.noteAsleep()
      sleep.sleep(timeoutNanoseconds: due.map { max(0, $0 - Clock.monotonicNanoseconds()) })
      spinning.noteAwake()
    }
    polled.endSleep()
    _ = polled.lookAtAllCold()
    resumeDue()
  }

  // MARK: Channels at rest

  /// Takes a channel out of the round; `rest` says why.
  private func setToRest(_ channel: ServedChannel, _ rest: ServedChannel.Rest) {
    endRest(channel)
    polled.remove(channel)
    channel.rest = rest
    switch rest {
    case .none, .handedOver: break
    case .waiting: waiting.append(channel)
    case .until(let time):
      resting.append(channel)
      nextTryAt = min(nextTryAt ?? time, time)
    }
  }

  /// The channel's oldest request may be tried again, or is answered.
  private func putBack(_ channel: ServedChannel) {
    endRest(channel)
    polled.add(channel)
  }

  private func endRest(_ channel: ServedChannel) {
    switch channel.rest {
    case .none: return
    case .handedOver: break
    case .waiting: waiting.removeAll { $0 === channel }
    case .until:
      resting.removeAll { $0 === channel }
      nextTryAt = resting.compactMap(\.rest.time).min()
    }
    channel.rest = .none
  }

  private func resumeDue() {
    guard let nextTryAt else { return }
    let now = Clock.monotonicNanoseconds()
    guard now >= nextTryAt else { return }
    for channel in resting.filter({ $0.rest.time! <= now }) { putBack(channel) }
  }

  /// Tries the requests again whose waiters say that it is time.
  func lookAtWaiters() {
    let now = Clock.monotonicNanoseconds()
    // A list of its own: channels leave the other one on the way, also with their sessions.
    for channel in Array(waiting) {
      if let waiter = channel.rest.waiter, waiter.lookAt <= now { serve(channel, atMost: 1) }
    }
    for channel in waiting {
      if let waiter = channel.rest.waiter { reactor.alarm.set(waiter.lookAt) }
    }
    service.alarmRang(now: now)
  }

  // MARK: Serving

  func serve(_ channel: ServedChannel, atMost limit: Int) {
    // It may be dropped on the way.
    let session = channel.session
    defer { withExtendedLifetime(session) {} }
    do throws(ProtocolViolation) {
      for _ in 0..<limit {
        guard let request = try channel.end.nextRequest() else { return }
        guard try serve(request, on: channel) else { return }
      }
    } catch {
      let link = session.link
      Log.warning("\(link.description) broke the protocol: \(error)", cause: .user(link.user))
      drop(session)
    }
  }

  /// Serves a request; false when it stays in its slot.
  private func serve(
    _ request: Request, on channel: ServedChannel
  ) throws(ProtocolViolation) -> Bool {
    stepsSinceLook += 1
    switch try outcome(of: request, on: channel) {
    case .answered:
      answered(request.operation, on: channel)
      return true
    // The session may have ended on the way.
    case _ where channel.isDropped: break
    case .again(nil): break
    case .again(let time?): setToRest(channel, .until(time))
    case .handedOver: setToRest(channel, .handedOver)
    case .waits(let waiter):
      if channel.rest.waiter !== waiter { setToRest(channel, .waiting(waiter)) }
    }
    return false
  }

  @inline(__always)
  private func outcome(
    of request: Request, on channel: ServedChannel
  ) throws(ProtocolViolation) -> Outcome {
    guard let operation = request.operation else {
      channel.end.complete(.unknownOperation)
      return .answered
    }
    if operation.hasNoArguments {
      _ = try channel.end.arguments(of: request, as: NoFields.self)
    }
    switch operation {
    case .nothing: channel.end.complete(.done)
    case .channelOpen: openChannel(channel)
    case .channelClose: return try closeChannel(request, channel)
    default:
      if operations.contains(operation.rawValue) {
        return try channel.service.serve(request, operation, now: Clock.coarseNanoseconds())
      }
      channel.end.complete(.unknownOperation)
    }
    return .answered
  }

  /// The oldest request of a channel was answered.
  @inline(__always)
  private func answered(_ operation: Operation?, on channel: ServedChannel) {
    counts.count(operation)
    if case .none = channel.rest { return }
    putBack(channel)
  }

  // MARK: Mail

  func readMail() {
    let signals = reactor.wake.signals
    if signals == lettersSeen { return }
    lettersSeen = signals
    for letter in reactor.takeLetters() {
      switch letter {
      case .adopt(let channel): adopt(channel)
      case .sessionEnded(let id): endSession(id)
      case .closeChannel(let number, let id, let done):
        if let session = sessions[id], let channel = session.channel(number) { close(channel) }
        done()
      case .channelClosed(let id, let number):
        guard let channel = sessions[id]?.channel(number) else { continue }
        channel.end.complete(.done)
        answered(.channelClose, on: channel)
      case .work(let work): work()
      case .stop: isStopping = true
      }
    }
  }

  /// Forgets a channel of a session that ends, or that is closed.
  func forget(_ channel: ServedChannel) {
    endRest(channel)
    polled.remove(channel)
    channel.isDropped = true
  }

  /// There is nothing more to do for a thread that was started for one channel.
  func stopIfUseless() {
    guard case .perChannel = shared.service.threading, sessions.isEmpty else { return }
    isStopping = true
    // Before the close is answered: the client may open another channel at once.
    reactor.noteEnding()
  }
}

extension ReactorLoop: ServingThread {
  var number: Int { reactor.number }
  var post: any ThreadPost { reactor }
  var lifeDescriptor: SharedDescriptor { shared.life.descriptor }

  func noteSlowRequest() { stepsSinceLook = lookInterval }

  func serveSubmitted(ofSession id: UInt64, exceptChannel number: UInt32?) {
    guard let session = sessions[id] else { return }
    for channel in session.channels
    where channel.number != number && channel.group != .atRest && channel.end.hasRequest {
      serve(channel, atMost: ChannelShape.standard.slotCount)
    }
  }

  func resume(session id: UInt64, channel number: UInt32, after operation: Operation) {
    guard let channel = sessions[id]?.channel(number) else { return }
    answered(operation, on: channel)
  }
}
