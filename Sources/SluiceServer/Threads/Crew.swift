// The reactors of a server, and which of them serves the next channel.
//
// Where threads are shared, a session lives and dies with one reactor. A new session goes to the
// reactor with the fewest channels. There is one reactor less than there are processors, so that a
// client has a processor too (see Spinning), and more reactors only when all are full.
//
// Where each channel has a thread, a reactor is started for each channel and ends with it.
//
// Threads: any.

internal import SluiceSystem

final class Crew: Placement {
  private let shared: SharedState
  private let spinning = Spinning()
  private let state = FutexLock(State())

  private struct State {
    var members: [Member] = []
    var startedCount = 0
  }

  private struct Member {
    let reactor: Reactor
    let thread: JoinableThread
  }

  init(_ shared: SharedState) { self.shared = shared }

  // MARK: Placing

  /// The reactor for one more session. It keeps room for the session's channels. Starts one if need
  /// be.
  func reactorForSession() throws(Errno) -> Reactor {
    switch shared.service.threading {
    case .perChannel(let maximum): try reactorForChannel(maximum)
    case .shared(let count): try sharedReactor(wanted: count ?? max(1, processorCount - 1))
    }
  }

  private func sharedReactor(wanted: Int) throws(Errno) -> Reactor {
    try state.withLock { (state) throws(Errno) in
      let loads = state.members.map(\.reactor).sorted { $0.load < $1.load }
      if state.members.count >= wanted || loads.first?.load == 0 {
        for reactor in loads where reactor.reserve(Reactor.channelsForSession) { return reactor }
      }
      return try self.start(&state)
    }
  }

  /// The reactor for one more channel of a session; nil where the session's own reactor serves it.
  func reactorForChannel() throws(Errno) -> Reactor? {
    switch shared.service.threading {
    case .perChannel(let maximum): try reactorForChannel(maximum)
    case .shared: nil
    }
  }

  private func reactorForChannel(_ maximum: Int) throws(Errno) -> Reactor {
    try state.withLock { (state) throws(Errno) in
      self.joinEnded(&state)
      guard state.members.count(where: { !$0.reactor.isEnding }) < maximum else {
        throw .tooManyOpen
      }
      return try self.start(&state)
    }
  }

  private func start(_ state: inout State) throws(Errno) -> Reactor {
    let reactor = Reactor(number: state.startedCount)
    guard reactor.reserve(Reactor.channelsForSession) else {
      preconditionFailure("an empty reactor has room")
    }
    let thread = try Thread("sluice-reactor") { [shared, spinning] in
      ReactorLoop(reactor, shared, spinning, placement: self).run()
    }
    state.startedCount += 1
    state.members.append(Member(reactor: reactor, thread: JoinableThread(thread)))
    return reactor
  }

  private func joinEnded(_ state: inout State) {
    for member in state.members where member.reactor.isClosed { member.thread.join() }
    state.members.removeAll { $0.reactor.isClosed }
  }

  /// The channel or session for which this reactor kept room will not come.
  func giveUpRoom(of reactor: Reactor) {
    reactor.release(Reactor.channelsForSession)
    guard case .perChannel = shared.service.threading else { return }
    reactor.noteEnding()
    reactor.send(.stop)
  }

  /// Ends all reactors and waits for them. Their sessions are closed then.
  func stop() {
    let members = state.withLock { state in
      defer { state.members = [] }
      return state.members
    }
    for member in members { member.reactor.send(.stop) }
    for member in members { member.thread.join() }
  }
}
