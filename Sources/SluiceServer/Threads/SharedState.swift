// What all threads of a server work with.

internal import SluiceChannel
internal import SluiceSystem

struct SharedState: Sendable {
  let service: any Service
  let metrics: Metrics
  let life: (life: Life, descriptor: SharedDescriptor)
  let configuration: ServerConfiguration
}

/// Decides which reactor serves a new channel.
protocol Placement: AnyObject, Sendable {
  /// The reactor for one more channel of a session, which keeps room for it; nil where the
  /// session's own reactor serves the channel.
  func reactorForChannel() throws(Errno) -> Reactor?
  /// The channel for which this reactor kept room will not come.
  func giveUpRoom(of reactor: Reactor)
}
