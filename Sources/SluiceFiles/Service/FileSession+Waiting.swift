// The operation by which a client waits in line for a lock.

internal import SluiceChannel
internal import SluiceServer
internal import SluiceSystem
internal import SluiceWire

extension FileSession {
  /// Throws `standsInLine` while the request must stay in its slot. Its channel has a waiter then,
  /// until the request is answered.
  func awaitLock(_ request: Request, _ channel: FileChannel, now: Int64) throws(ServeError) {
    let wanted = try arguments(request, channel, as: LockAwaitRequest.self)
    let handle = try handle(request)
    let waiter = channel.waiter ?? newWaiter(wanted)
    channel.waitInLine(waiter)
    do throws(FileError) {
      try handle.checkLocks(now: now)
      try handle.file.awaitLock(wanted.lock, for: handle.holder, waiter)
    } catch {
      if error != .standsInLine { handle.file.stopWaiting(handle.id) }
      throw .file(error)
    }
    channel.end.complete(.done)
  }

  private func newWaiter(_ wanted: LockAwaitRequest) -> Waiter {
    let deadline = Clock.monotonicNanoseconds() + Int64(wanted.milliseconds) * 1_000_000
    return Waiter(deadline: deadline, alarm: thread.post.alarm)
  }

  /// The request that waits on `channel` will not be answered any more.
  func forgetWaiter(of channel: FileChannel) {
    guard channel.waiter != nil else { return }
    channel.forgetRequest()
    guard let request = try? channel.end.nextRequest() else { return }
    if let handle = handles.find(request.file) { handle.file.stopWaiting(handle.id) }
  }
}
