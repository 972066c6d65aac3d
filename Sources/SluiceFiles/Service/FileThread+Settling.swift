// What happens before a client is told that a file is busy.
//
// The holder that is in the way may already be gone. Its unlock may still stand in a ring, because
// a client need not wait for the answer of an unlock. Or its client has died, and holds its locks
// until the door's letter comes. With SQLite's own VFS neither is in the way. So a request that
// finds a file busy stays in its slot until
//
//   1. this thread has served every other channel that it has, and has ended the sessions of dead
//      clients that have the file open;
//   2. the other threads with sessions that have the file open have done the same;
//
// and is tried once more. If the file is busy then, busy is the answer.
//
// Threads settle before an outsider is let at a file too: what was submitted before it came is done
// before it sees the file.

internal import SluiceServer
internal import SluiceSystem

extension FileThread {
  /// How long other threads may take to settle. One of them may be in the middle of a sync.
  private static let settlingNanoseconds: Int64 = 1_000_000_000

  /// Settles what may be in the way of a channel's oldest request.
  func settle(for channel: FileChannel, file: SharedFile?) -> Settling {
    // The request that is settled for has its own turn.
    if isSettling { return .laterInTurn }
    let session = channel.session
    settleHere(for: file, besides: channel)
    // The session was perhaps that of a dead client.
    guard sessions[session.link.id] === session else { return .laterInTurn }
    let others = parts.settlers.besides(self, using: file)
    if others.isEmpty { return .done }
    let waiter = Waiter(
      deadline: Clock.monotonicNanoseconds() + Self.settlingNanoseconds, alarm: post.alarm)
    let settlement = Settlement(file: file, askedCount: others.count) {
      waiter.tell(Clock.monotonicNanoseconds())
    }
    waiter.rest(until: waiter.deadline)
    for other in others { other.settle(settlement) }
    return .waits(waiter)
  }

  enum Settling {
    /// The request is tried once more now.
    case done
    /// The request is tried once more when the other threads have settled, or have taken too long.
    case waits(Waiter)
    /// The request is tried in its channel's next turn.
    case laterInTurn
  }

  /// Has this thread settle. Any thread may call this.
  func settle(_ settlement: Settlement) {
    post.send {
      self.settleHere(for: settlement.file, besides: nil)
      settlement.oneHasSettled()
    }
  }

  /// Serves what was submitted on every channel but one, and ends the sessions of dead clients that
  /// have the file open (of all dead clients, where no file is named).
  func settleHere(for file: SharedFile?, besides asking: FileChannel?) {
    if isSettling { return }
    isSettling = true
    defer { isSettling = false }
    // A list of its own: sessions may end on the way.
    for session in Array(sessions.values) {
      let id = session.link.id
      serving.serveSubmitted(
        ofSession: id, exceptChannel: asking?.session === session ? asking?.number : nil)
      guard file.map(session.handles.contains) ?? true, session.link.isClientGone else { continue }
      serving.endSession(id)
    }
  }
}
