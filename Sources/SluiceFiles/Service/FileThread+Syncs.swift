// Who does a sync: the thread itself while no other client would wait for it, or the workers.
//
// To hand a sync over and back costs two wakes, 10 to 100 µs. A session that is alone does not pay
// them, nor does a session for which all others wait in line. Beside another session that was
// active lately it does. Where the disk is slow it does as soon as there is another session or
// connection at all, because that one might become active meanwhile.
//
// Reads are not handed over. To ask whether a read would wait (RWF_NOWAIT) costs each cached read
// 70 of 630 ns, tmpfs cannot tell, and a read that did wait took 35 µs where this was measured:
// less than handing it over.

internal import SluiceServer
internal import SluiceSystem
internal import SluiceWire

/// The file and the directory that a sync makes durable.
struct SyncWork: Sendable {
  var file: SharedFile?
  /// Its entries are made durable after the file.
  var directory: Directory?
  /// The database whose commit the file, a WAL, is synced for.
  var committed: SharedFile?
  /// Who copies the file, a WAL, into its database.
  var checkpointer: UInt64?

  /// A sync that `gathers` may wait for others to share it.
  func run(_ parts: FileParts, gathers: Bool = false) throws(FileError) {
    // Programs outside go by what they have read. Then only the commit fails, as without a sidecar.
    let lost = committed.flatMap { $0.isOpenOutside ? nil : $0 }
    do throws(FileError) {
      if let checkpointer { file?.promises.leaveGroup(checkpointer) }
      try file?.synchronize(
        isFinal: lost != nil, gathers: gathers && checkpointer != nil)
    } catch {
      if let lost, let file { parts.giveUp(lost, file, error.status.errno) }
      throw error
    }
    try directory?.synchronize()
  }
}

/// A sync that the workers do for a request.
struct SyncErrand: Sendable {
  let session: UInt64
  let channel: UInt32
  let operation: Operation
  /// The file id that the request named.
  let file: UInt64
}

extension FileThread {
  /// Does the work of a request, or hands it over; true when it is done.
  func sync(_ work: SyncWork, _ errand: SyncErrand, of session: FileSession, now: Int64)
    throws(FileError) -> Bool
  {
    if wouldHoldUpOthers(session, now: now), handOver(work, errand) { return false }
    let start = Clock.monotonicNanoseconds()
    try work.run(parts)
    noteSync(nanoseconds: Clock.monotonicNanoseconds() - start)
    session.synced(errand.file)
    return true
  }

  private func wouldHoldUpOthers(_ session: FileSession, now: Int64) -> Bool {
    if sessions.count > 1, isAnotherActive(than: session, now: now) { return true }
    // One channel beside the home channel is that of the connection that syncs.
    let areSlow = usualSyncNanoseconds > 1_000_000
    return areSlow && (sessions.count > 1 || session.channels.count > 2)
  }

  /// Whether another session was served lately and does not wait in line now. `now` is coarse: its
  /// steps of up to 10 ms are the least that can be asked for.
  private func isAnotherActive(than session: FileSession, now: Int64) -> Bool {
    let lately = now - 20_000_000
    return sessions.values.contains { other in
      other !== session
        && other.channels.contains { $0.servedAt > lately && $0.waiter == nil }
    }
  }

  private func noteSync(nanoseconds: Int64) {
    usualSyncNanoseconds += (nanoseconds - usualSyncNanoseconds) / 4
  }

  /// A file counts as open until its sync is done, so that it is not closed meanwhile.
  private func handOver(_ work: SyncWork, _ errand: SyncErrand) -> Bool {
    guard parts.workers.areReady() else { return false }
    let files = [work.file, work.committed].compactMap { $0 }
    for file in files { parts.files.countAnother(file) }
    parts.workers.take {
      let start = Clock.monotonicNanoseconds()
      var failure: FileError?
      do throws(FileError) { try work.run(self.parts, gathers: true) } catch { failure = error }
      let nanoseconds = Clock.monotonicNanoseconds() - start
      for file in files { self.parts.files.close(file) }
      self.post.send { [failure] in self.finish(errand, failure, nanoseconds: nanoseconds) }
    }
    return true
  }

  /// Answers the request whose sync the workers have done, if its session is still there.
  private func finish(_ errand: SyncErrand, _ failure: FileError?, nanoseconds: Int64) {
    noteSync(nanoseconds: nanoseconds)
    guard let channel = channel(errand.channel, ofSession: errand.session), channel.isHandedOver
    else { return }
    if failure == nil { channel.session.synced(errand.file) }
    channel.finishHandedOver(failure)
    serving.resume(
      session: errand.session, channel: errand.channel, after: errand.operation)
  }
}
