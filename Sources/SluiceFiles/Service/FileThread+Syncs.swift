// Who does a sync: the reactor itself while nobody else is there to wait for it, or the workers.
//
// Handing over and back costs two wakes, 10 to 100 µs. A session that is alone does not pay them, nor
// one for which all others wait in line; beside another that has lately been active it does; and where
// the disk is slow it does as soon as there is another session or connection at all, for that might
// become active meanwhile.
//
// Reads are not handed over. To ask whether one would wait (RWF_NOWAIT) costs each cached read 70 of
// 630 ns, tmpfs cannot tell, and a read that did wait took 35 µs where this was measured: less than
// handing it over.

internal import SluiceChannel
internal import SluiceSystem
internal import SluiceWire

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
    noteSync(nanoseconds: Clock.monotonicNanoseconds() - start)
    session.synced(request.file)
    channel.end.complete(.done)
  }

  private func wouldHoldUpOthers(_ session: ProxySession, now: Int64) -> Bool {
    if sessions.count > 1, isAnotherActive(than: session, now: now) { return true }
    // One channel beside the home channel is that of the connection that syncs.
    let areSlow = usualSyncNanoseconds > 1_000_000
    return areSlow && (sessions.count > 1 || session.channels.count > 2)
  }

  /// Whether another session was served lately, and does not stand in line now. `now` is coarse: its
  /// steps of up to 10 ms are the least that can be asked for.
  private func isAnotherActive(than session: ProxySession, now: Int64) -> Bool {
    let lately = now - 20_000_000
    return sessions.values.contains { other in
      other !== session
        && other.channels.contains { $0.servedAt > lately && $0.waiter == nil }
    }
  }

  private func noteSync(nanoseconds: Int64) {
    usualSyncNanoseconds += (nanoseconds - usualSyncNanoseconds) / 4
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
    noteSync(nanoseconds: errand.nanoseconds)
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
