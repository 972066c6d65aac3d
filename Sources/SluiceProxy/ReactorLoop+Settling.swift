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

internal import SluiceChannel
internal import SluiceSystem
internal import SluiceWire
internal import Synchronization

/// What a request waits for while other reactors settle.
final class Settlement: Sendable {
  /// The file that is busy; nil where the request names none that is open.
  let file: SharedFile?
  let session: UInt64
  let channel: UInt32
  private let origin: Reactor
  private let openCount: Atomic<Int>

  init(
    file: SharedFile?, session: UInt64, channel: UInt32, origin: Reactor, askedCount: Int
  ) {
    self.file = file
    self.session = session
    self.channel = channel
    self.origin = origin
    openCount = Atomic(askedCount)
  }

  /// One of those who were asked has settled what it had.
  func oneHasSettled() {
    if openCount.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue == 0 {
      origin.send(.settled(self))
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
      file: file, session: session.link.id, channel: channel.number, origin: reactor,
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
    guard let channel = channel(settlement.channel, of: settlement.session),
      case .settlement(let awaited) = channel.awaits, awaited === settlement
    else { return }
    channel.awaits = .answer
    if channel.group == .aside { putBack(channel) }
  }

  func channel(_ number: UInt32, of session: UInt64) -> ProxyChannel? {
    sessions[session]?.channels.first { $0.number == number }
  }
}
