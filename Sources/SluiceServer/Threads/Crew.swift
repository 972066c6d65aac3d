// The reactors of a sidecar: who gets the next session, who else must be asked before somebody is
// told that a file is busy, and how many may spin at a time.
//
// A session lives and dies with one reactor. New ones go to where the fewest channels are; there
// are as many reactors as processors but one, so that a client has one too, and more only when
// those are full. One processor must be left to the clients: reactors that spin on all of them keep
// away those for whom they wait.
// (Two busy clients on two processors: 0.7 to 1.5 µs a null operation on average with one reactor,
// 0.9 to 13 µs with two.)
//
// Threads: any.

internal import SluiceSystem
internal import Synchronization

final class Crew: Sendable {
  /// How many reactors there are before one has to be full.
  let reactorCountWanted: Int
  private let members = FutexLock<[Member]>([])
  private let metrics: Metrics
  /// How many reactors are not asleep.
  private let awakeCount = Atomic<Int>(0)

  private struct Member {
    let reactor: Reactor
    let thread: JoinableThread
  }

  /// `reactorCount` is nil for what suits the machine.
  init(reactorCount: Int?, metrics: Metrics) {
    reactorCountWanted = reactorCount ?? max(1, processorCount - 1)
    self.metrics = metrics
  }

  // MARK: Placing

  /// The reactor for one more session, for whose channels there is room. Starts it if need be.
  func reactorForSession() throws(Errno) -> Reactor {
    try members.withLock { (members) throws(Errno) in
      let loads = members.map(\.reactor).sorted { $0.load < $1.load }
      if members.count >= self.reactorCountWanted || loads.first?.load == 0 {
        for reactor in loads where reactor.reserve(Reactor.channelsForSession) { return reactor }
      }
      let reactor = Reactor(number: members.count, crew: self)
      guard reactor.reserve(Reactor.channelsForSession) else {
        preconditionFailure("an empty reactor has room")
      }
      let metrics = self.metrics
      let thread = try Thread("sluice-reactor") { reactor.run(metrics: metrics) }
      members.append(Member(reactor: reactor, thread: JoinableThread(thread)))
      return reactor
    }
  }

  /// Ends all reactors and waits for them. Their sessions are closed then.
  func stop() {
    let members = self.members.withLock { members in
      defer { members = [] }
      return members
    }
    for member in members { member.reactor.send(.stop) }
    for member in members { member.thread.join() }
  }

  /// The reactors besides `reactor` with sessions that have, or had, `file` open; all besides it
  /// where no file is named.
  func others(than reactor: Reactor?, using file: SharedFile?) -> [Reactor] {
    members.withLock { members in
      members.map(\.reactor).filter {
        $0 !== reactor && (file?.isUsed(byReactor: $0.number) ?? true)
      }
    }
  }

  // MARK: Spinning

  func noteAwake() { awakeCount.wrappingAdd(1, ordering: .relaxed) }
  func noteAsleep() { awakeCount.wrappingSubtract(1, ordering: .relaxed) }

  /// Whether a reactor may spin for long: a processor is left for others.
  var hasRoomToSpin: Bool {
    awakeCount.load(ordering: .relaxed) <= max(1, processorCount - 1)
  }
}
