// Before somebody is told that a file is busy.
//
// Who is in the way may already have gone: an unlock that a client submitted before this request
// may stand in its ring still, for a client need not wait for the answer of an unlock; and a client
// that has died holds its locks until the doorman's letter comes. With SQLite's own VFS neither is
// in anybody's way. So a request that finds a file busy stays in its slot until
//
//   1. every other channel of this reactor was served, and the dead that have the file open were
//      ended;
//   2. the other reactors with sessions that have the file open have done the same;
//
// and is tried once more. Then busy is the answer.
//
// The doorman has reactors settle as well before an outsider is let at a file: what was submitted
// before he came is done before he sees the file.

internal import SluiceChannel
internal import SluiceSystem
internal import SluiceWire
internal import Synchronization

/// What somebody waits for while reactors settle.
final class Settlement: Sendable {
  enum Asker {
    /// A request on a channel of another reactor.
    case request(session: UInt64, channel: UInt32, of: Reactor)
    /// The doorman, whose poller hears this bell.
    case doorman(Bell)
  }

  /// The file that is busy, or that an outsider wants; nil for any.
  let file: SharedFile?
  let asker: Asker
  private let openCount: Atomic<Int>

  init(file: SharedFile?, asker: Asker, askedCount: Int) {
    self.file = file
    self.asker = asker
    openCount = Atomic(askedCount)
  }

  /// Whether all of those who were asked have settled what they had.
  var isDone: Bool { openCount.load(ordering: .acquiring) == 0 }

  /// One of those who were asked has settled what it had.
  func oneHasSettled() {
    let openCount = openCount.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue
    guard openCount == 0 else { return }
    switch asker {
    case .request(_, _, let origin): origin.send(.settled(self))
    case .doorman(let bell): bell.ring()
    }
  }
}

extension ReactorLoop {
  /// Whether busy is the answer to the channel's oldest request.
  func isSettled(_ channel: ProxyChannel) -> Bool {
    switch channel.awaits {
    case .nothing, .sync, .turn: false
    // The others took too long.
    case .settlement, .answer: true
    }
  }

  /// Settles what may be in the way of a request; whether it is to be tried again now. If not, it
  /// stays in its slot.
  func settle(for request: Request, on channel: ProxyChannel) -> Bool {
    // Its own turn comes.
    if isSettling { return false }
    let session = channel.session
    let file = session.handles.find(request.file)?.file
    settleHere(for: file, besides: channel)
    // It was perhaps one of the dead.
    guard sessions[session.link.id] != nil else { return false }
    channel.awaits = .answer
    let others = reactor.crew.others(than: reactor, using: file)
    if others.isEmpty { return true }
    let settlement = Settlement(
      file: file,
      asker: .request(session: session.link.id, channel: channel.number, of: reactor),
      askedCount: others.count)
    channel.awaits = .settlement(settlement)
    setAside(channel, until: Clock.monotonicNanoseconds() + settlingNanoseconds)
    for other in others { other.send(.settle(settlement)) }
    return false
  }

  /// Serves what was submitted on every channel but one, and ends the sessions of the dead that
  /// have the file open (all the dead, where no file is named).
  func settleHere(for file: SharedFile?, besides asking: ProxyChannel?) {
    if isSettling { return }
    isSettling = true
    defer { isSettling = false }
    // A list of its own: sessions may end on the way.
    for session in Array(sessions.values) {
      for channel in session.channels
      where channel !== asking && channel.group != .aside && channel.end.hasRequest {
        serve(channel, atMost: ChannelShape.standard.slotCount)
      }
      guard file.map(session.handles.contains) ?? true, session.link.isClientGone,
        sessions[session.link.id] != nil
      else { continue }
      finishSubmitted(session)
      drop(session)
    }
  }

  /// The other reactors have settled: the request is tried once more.
  func resume(after settlement: Settlement) {
    guard case .request(let session, let number, _) = settlement.asker,
      let channel = channel(number, of: session),
      case .settlement(let awaited) = channel.awaits, awaited === settlement
    else { return }
    channel.awaits = .answer
    if channel.group == .aside { putBack(channel) }
  }

  func channel(_ number: UInt32, of session: UInt64) -> ProxyChannel? {
    sessions[session]?.channels.first { $0.number == number }
  }
}
