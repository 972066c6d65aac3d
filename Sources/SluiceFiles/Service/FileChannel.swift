// One channel of a session: takes its requests, and decides when a request that cannot be done now
// is tried again. Confined to the session's thread.

internal import SluiceChannel
internal import SluiceServer
internal import SluiceSystem
internal import SluiceWire

final class FileChannel: ServiceChannel {
  let number: UInt32
  let end: ProxyEnd
  /// The session owns its channels, and no channel is used after its session has ended. A counted
  /// reference costs 20 of the 250 ns of a round trip.
  private unowned(unsafe) let owner: FileSession
  /// The database that was opened last on this channel. Nearly every path names one of its
  /// journals.
  var database: Handle?
  /// Whether a file has taken the word for standing locks.
  var hasStandingLocks = false
  /// When its last request was taken up, by the coarse clock.
  private(set) var servedAt: Int64 = .min / 2
  /// When to give up a request that is tried again and again.
  private var giveUpAt: Int64?
  /// What its oldest request waits for, other than a time.
  private(set) var awaited = Awaited.nothing

  enum Awaited {
    case nothing
    /// The workers, which do its sync.
    case workers
    /// A lock, in line.
    case turn(Waiter)
    /// A sync that was promised.
    case durability(Waiter)
    /// Other threads, which settle what might be in its way.
    case settlement(Waiter)
    /// Nothing more: all was settled. If the file is busy now, busy is the answer.
    case answer
  }

  @inline(__always)
  var session: FileSession { unsafe owner }

  init(number: UInt32, end: ProxyEnd, session: FileSession) {
    self.number = number
    self.end = end
    unsafe owner = session
  }

  /// There while its oldest request waits in line for a lock.
  var waiter: Waiter? { if case .turn(let waiter) = awaited { waiter } else { nil } }

  /// There while its oldest request waits for a promised sync.
  var durabilityWaiter: Waiter? {
    if case .durability(let waiter) = awaited { waiter } else { nil }
  }

  var isHandedOver: Bool { if case .workers = awaited { true } else { false } }

  // MARK: Serving

  func serve(
    _ request: Request, _ operation: Operation, now: @autoclosure () -> Int64
  ) throws(ProtocolViolation) -> Outcome {
    let now = now()
    servedAt = now
    // A second round follows when this thread alone had to settle.
    while true {
      do throws(ServeError) {
        guard try session.serve(request, operation, on: self, now: now) else {
          awaited = .workers
          return .handedOver
        }
        answered()
        return .answered
      } catch {
        switch error {
        case .violation(let violation): throw violation
        case .file(let error):
          if let outcome = outcome(of: error, request, operation) { return outcome }
        }
      }
    }
  }

  /// The workers have done what its oldest request needs.
  func finishHandedOver(_ failure: FileError?) {
    if let failure {
      complete(failure)
    } else {
      end.complete(.done)
    }
    answered()
  }

  @inline(__always)
  private func answered() {
    giveUpAt = nil
    if case .nothing = awaited { return }
    awaited = .nothing
  }

  private func complete(_ error: FileError) {
    end.complete(error.status.status, errno: error.status.errno)
  }

  // MARK: Waiting

  /// Waits in line, from now on or still.
  func waitInLine(_ waiter: Waiter) { awaited = .turn(waiter) }

  /// Waits for a promised sync, from now on or still.
  func awaitDurability(_ waiter: Waiter) { awaited = .durability(waiter) }

  /// Its oldest request will not be answered any more.
  func forgetRequest() { awaited = .nothing }

  /// How long to rest before a request that could not be done is tried again, and for how long it
  /// is tried at all, in nanoseconds.
  private struct Patience {
    var rest: Int64
    var whole: Int64
  }

  /// Another process has 45 seconds to answer the break of its lease.
  private static let leasePatience = Patience(rest: 500_000, whole: 50_000_000_000)
  /// A standing lock can be had at the end of a slice.
  private static let slicePatience = Patience(rest: 50_000, whole: 2_000_000)
  private static let readerPatience = Patience(rest: 20_000, whole: 200_000)
  /// A sidecar whose client died gives its locks back within some milliseconds.
  private static let deathPatience = Patience(rest: 200_000, whole: 10_000_000)

  /// What becomes of a request that could not be done; nil where it is tried once more now.
  @inline(never)
  private func outcome(
    of error: FileError, _ request: Request, _ operation: Operation
  ) -> Outcome? {
    if case .standsInLine = error, let waiter { return .waits(waiter) }
    if case .notDurableYet = error, let waiter = durabilityWaiter { return .waits(waiter) }
    if let patience = patience(with: error), let time = nextTry(patience) {
      return .again(at: time)
    }
    if mayBeSettled(error, operation), !isSettled {
      switch session.thread.settle(for: self, file: session.handles.find(request.file)?.file) {
      case .laterInTurn: return .again(at: nil)
      case .waits(let waiter):
        awaited = .settlement(waiter)
        return .waits(waiter)
      case .done:
        awaited = .answer
        return nil
      }
    }
    complete(error)
    answered()
    return .answered
  }

  private func patience(with error: FileError) -> Patience? {
    switch error {
    case .tryLater: Self.leasePatience
    case .standsYet: Self.slicePatience
    case .readersYet: Self.readerPatience
    case .busyPerhaps, .busyPendingPerhaps: Self.deathPatience
    default: nil
    }
  }

  /// When to try the request again; nil when it has been tried long enough.
  private func nextTry(_ patience: Patience) -> Int64? {
    let now = Clock.monotonicNanoseconds()
    let giveUpAt = giveUpAt ?? now + patience.whole
    guard now < giveUpAt else { return nil }
    self.giveUpAt = giveUpAt
    return now + patience.rest
  }

  /// Whether the lock may be free once all threads have settled. A request that waited in line
  /// until its time was up is told `busy`, and its client asks for the lock itself once more.
  private func mayBeSettled(_ error: FileError, _ operation: Operation) -> Bool {
    switch error {
    case .busy: operation != .lockAwait
    case .busyPending, .readersYet: true
    default: false
    }
  }

  /// Whether busy is the answer to the channel's oldest request.
  private var isSettled: Bool {
    switch awaited {
    case .nothing, .workers, .turn, .durability: false
    // The other threads took too long, or have settled.
    case .settlement, .answer: true
    }
  }
}
