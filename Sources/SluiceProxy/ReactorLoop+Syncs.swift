// Who does a sync: the reactor itself while nobody else is there to wait for it, or the workers.
//
// Handing over and back costs two wakes, 10 to 100 µs. A session that is alone does not pay them;
// beside another that has lately been active it does; and where the disk is slow it does as soon as
// there is another session or connection at all, for that might become active meanwhile.
//
// Reads are not handed over. To ask whether one would wait (RWF_NOWAIT) costs each cached read 70 of
// 630 ns, tmpfs cannot tell, and a read that did wait took 35 µs where this was measured: less than
// handing it over.

internal import SluiceChannel
internal import SluiceSystem
internal import SluiceWire

/// What sessions did lately, as far as it decides who syncs.
struct SessionActivity {
  private var lastSession: UInt64 = 0
  private var lastAt: Int64 = 0
  /// When a session other than the last one was served last.
  private var otherAt: Int64 = .min / 2
  /// How long syncs took lately, on average.
  private var syncNanoseconds: Int64 = 0

  /// A request of this session is served. `now` is coarse.
  @inline(__always)
  mutating func note(_ session: UInt64, now: Int64) {
    if session != lastSession {
      otherAt = lastAt
      lastSession = session
    }
    lastAt = now
  }

  mutating func noteSync(nanoseconds: Int64) {
    syncNanoseconds += (nanoseconds - syncNanoseconds) / 4
  }

  /// Whether a session besides the one served last was active lately. `now` is coarse: its steps of
  /// up to 10 ms are the least that can be asked for.
  func hasOthers(now: Int64) -> Bool { now - otherAt < 20_000_000 }

  var syncsAreSlow: Bool { syncNanoseconds > 1_000_000 }
}

extension ReactorLoop {
  /// Does a sync or a deletion and answers it, or leaves it in its slot, with the workers.
  func sync(_ request: Request, on channel: ProxyChannel, now: Int64) throws(ServeError) {
    let session = channel.session
    let work =
      request.operation == .sync
      ? try session.syncWork(request, now: now) : try session.deleted(request, channel)
    guard let work else { return channel.end.complete(.done) }
    if wouldHoldUpOthers(session, now: now), handOver(work, request, channel) { return }
    let start = Clock.monotonicNanoseconds()
    try session.file { () throws(FileError) in try work.run() }
    activity.noteSync(nanoseconds: Clock.monotonicNanoseconds() - start)
    session.synced(request.file)
    channel.end.complete(.done)
  }

  private func wouldHoldUpOthers(_ session: ProxySession, now: Int64) -> Bool {
    if activity.hasOthers(now: now), sessions.count > 1 { return true }
    // One channel beside the home channel is that of the connection that syncs.
    return activity.syncsAreSlow && (sessions.count > 1 || session.channels.count > 2)
  }

  private func handOver(
    _ work: SyncWork, _ request: Request, _ channel: ProxyChannel
  ) -> Bool {
    let errand = SyncErrand(
      reactor: reactor, session: channel.session.link.id, channel: channel.number,
      operation: request.operation, file: request.file, work: work)
    guard channel.session.shared.workers.take(errand) else { return false }
    channel.awaits = .sync
    setAside(channel, until: nil)
    return true
  }

  /// Answers the request whose sync the workers have done, if its session is still there.
  func finish(_ errand: SyncErrand) {
    activity.noteSync(nanoseconds: errand.nanoseconds)
    guard let channel = channel(errand.channel, of: errand.session), case .sync = channel.awaits
    else { return }
    if let failure = errand.failure {
      channel.end.complete(failure.status.status, errno: failure.status.errno)
    } else {
      channel.session.synced(errand.file)
      channel.end.complete(.done)
    }
    answered(errand.operation, on: channel)
    putBack(channel)
  }
}
