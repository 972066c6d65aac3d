// Standing in line for a lock.

internal import SluiceChannel
internal import SluiceSystem
internal import SluiceWire

extension ProxySession {
  /// Throws `standsInLine` while the request has to stay in its slot; its channel has a waiter then,
  /// until it is answered.
  func awaitLock(_ request: Request, _ channel: ProxyChannel, now: Int64) throws(ServeError) {
    let wanted = try arguments(request, channel, as: LockAwaitRequest.self)
    let handle = try handle(request)
    let waiter = channel.waiter ?? newWaiter(wanted)
    channel.awaits = .turn(waiter)
    do throws(FileError) {
      try handle.checkLocks(now: now)
      try handle.file.awaitLock(wanted.lock, for: handle.holder, waiter)
    } catch {
      if error != .standsInLine { handle.file.stopWaiting(handle.id) }
      throw .file(error)
    }
    channel.end.complete(.done)
  }

  private func newWaiter(_ wanted: LockAwaitRequest) -> LockWaiter {
    guard let alarm else { preconditionFailure("a session that is served has a reactor") }
    let deadline = Clock.monotonicNanoseconds() + Int64(wanted.milliseconds) * 1_000_000
    return LockWaiter(deadline: deadline, alarm: alarm)
  }

  /// The request that waits on `channel` will not be answered any more.
  func forgetWaiter(of channel: ProxyChannel) {
    guard channel.waiter != nil else { return }
    channel.awaits = .nothing
    guard let request = try? channel.end.nextRequest() else { return }
    if let handle = handles.find(request.file) { handle.file.stopWaiting(handle.id) }
  }
}
