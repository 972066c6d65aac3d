// The channels whose oldest request stands in line for a lock. They stand aside; the alarm tells when
// to look at them.

internal import SluiceSystem

extension ReactorLoop {
  /// The oldest request of a channel has to wait, or to go on waiting.
  func standInLine(_ channel: ProxyChannel) {
    if channel.group == .aside { return }
    setAside(channel, until: nil)
    inLine.append(channel)
  }

  /// It is answered.
  func endWaiting(_ channel: ProxyChannel) {
    guard channel.group == .aside else { return }
    inLine.removeAll { $0 === channel }
    putBack(channel)
  }

  /// Tries the requests again that may have come to their turn.
  func lookAtWaiters() {
    let now = Clock.monotonicNanoseconds()
    // A list of its own: they leave it on the way, also with their sessions.
    for channel in Array(inLine) where inLine.contains(where: { $0 === channel }) {
      if let waiter = channel.waiter, waiter.lookAt <= now { serve(channel, atMost: 1) }
    }
    for channel in inLine { if let waiter = channel.waiter { reactor.alarm.set(waiter.lookAt) } }
  }
}
