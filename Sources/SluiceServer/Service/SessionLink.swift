// The socket of a session, and what the door learned about its client.
//
// Threads: any. The door owns it together with the threads that serve the session's channels.

package import SluiceSystem
internal import Synchronization

/// A thread that serves some channels of a session, as the session's other threads see it.
protocol ChannelKeeper: AnyObject, Sendable {
  /// The client is gone: finish what it had submitted, then forget it.
  func endSession(_ id: UInt64)
  /// Closes a channel, then calls `done` in the keeper's thread.
  func closeChannel(_ number: UInt32, ofSession id: UInt64, _ done: @escaping @Sendable () -> Void)
}

package final class SessionLink: Sendable {
  package let id: UInt64
  package let socket: SharedDescriptor
  /// The user id of the client's process.
  package let user: UInt32
  /// The process id of the client; 0 in another pid namespace.
  package let process: Int32
  /// Readable when the client's process ends; nil where the kernel cannot show that.
  package let processEnd: SharedDescriptor?
  private let state = FutexLock(State())

  private struct State {
    /// The thread of each channel.
    var keepers: [UInt32: any ChannelKeeper] = [:]
    /// How many channels there were so far.
    var channelsOpened: UInt32 = 0
    var hasEnded = false
  }

  init(
    id: UInt64, socket: SharedDescriptor, user: UInt32, process: Int32,
    processEnd: SharedDescriptor?
  ) {
    self.id = id
    self.socket = socket
    self.user = user
    self.process = process
    self.processEnd = processEnd
  }

  /// Whether the client has closed its end of the socket, or its process has ended. A child of that
  /// process may hold a copy of the socket.
  package var isClientGone: Bool {
    socket.descriptor.peerIsGone()
      || processEnd?.descriptor.awaitReadable(timeoutMilliseconds: 0) ?? false
  }

  package var description: String { "session \(id) (process \(process), user \(user))" }

  // MARK: Channels

  /// Takes the number of one more channel, which `keeper` will serve; nil where there are
  /// `maximum`.
  func addChannel(_ keeper: any ChannelKeeper, maximum: Int) -> UInt32? {
    state.withLock { state in
      guard state.keepers.count < maximum else { return nil }
      let number = state.channelsOpened
      state.channelsOpened += 1
      state.keepers[number] = keeper
      return number
    }
  }

  /// The channel is closed, or was never opened; how many remain.
  @discardableResult
  func removeChannel(_ number: UInt32) -> Int {
    state.withLock { state in
      state.keepers[number] = nil
      return state.keepers.count
    }
  }

  func keeper(ofChannel number: UInt32) -> (any ChannelKeeper)? {
    state.withLock { $0.keepers[number] }
  }

  /// Whether `endOfClient` was called.
  var hasEnded: Bool { state.withLock { $0.hasEnded } }

  /// Tells each thread that serves this session that the client is gone.
  func endOfClient() {
    let keepers = state.withLock { state in
      state.hasEnded = true
      return Array(state.keepers.values)
    }
    var told: [ObjectIdentifier] = []
    for keeper in keepers where !told.contains(ObjectIdentifier(keeper)) {
      told.append(ObjectIdentifier(keeper))
      keeper.endSession(id)
    }
  }
}
