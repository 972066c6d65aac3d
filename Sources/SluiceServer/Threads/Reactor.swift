// A thread that serves, as other threads see it: a mailbox, an alarm, and how many channels it has.
// Its work is in ReactorLoop.
//
// Threads: any.

internal import SluiceChannel
internal import SluiceSystem
internal import Synchronization

final class Reactor: ThreadPost, ChannelKeeper {
  enum Letter: @unchecked Sendable {
    /// From now on this channel belongs to the reactor. The sender has let go of the regions.
    case adopt(NewChannel)
    /// The client is gone: finish what it had submitted, then forget it.
    case sessionEnded(UInt64)
    /// Close a channel of a session, then do that.
    case closeChannel(UInt32, ofSession: UInt64, done: @Sendable () -> Void)
    /// A channel was closed for a request that waits on another channel of that session.
    case channelClosed(ofSession: UInt64, askedBy: UInt32)
    /// Do something for the service.
    case work(@Sendable () -> Void)
    case stop
  }

  /// A channel on its way to the reactor that will serve it.
  final class NewChannel {
    let link: SessionLink
    let number: UInt32
    private var regions: ChannelRegions?

    init(_ link: SessionLink, number: UInt32, _ regions: consuming ChannelRegions) {
      self.link = link
      self.number = number
      self.regions = .some(regions)
    }

    /// The regions, once.
    func takeRegions() -> ChannelRegions {
      guard let regions = regions.take() else { preconditionFailure("regions are taken once") }
      return regions
    }
  }

  let number: Int
  private let mailbox = FutexLock(Mailbox())
  let wake: WakeWord
  let alarm: Alarm
  private let channelCount = Atomic<Int>(0)
  private let ending = Atomic<Bool>(false)

  private struct Mailbox {
    var letters: [Letter] = []
    /// Whether the thread reads no more letters.
    var isClosed = false
  }

  /// A session has a channel for its process and nearly always one for a database, so a session
  /// that is let in has room for both.
  static let channelsForSession = 2

  init(number: Int) {
    self.number = number
    wake = WakeWord()
    alarm = Alarm(wake: wake)
  }

  func send(_ letter: Letter) {
    let isClosed = mailbox.withLock { mailbox in
      if !mailbox.isClosed { mailbox.letters.append(letter) }
      return mailbox.isClosed
    }
    if isClosed { answerUnread(letter) } else { wake.signal() }
  }

  func send(_ work: @escaping @Sendable () -> Void) { send(.work(work)) }

  func endSession(_ id: UInt64) { send(.sessionEnded(id)) }

  func closeChannel(
    _ number: UInt32, ofSession id: UInt64, _ done: @escaping @Sendable () -> Void
  ) {
    send(.closeChannel(number, ofSession: id, done: done))
  }

  func takeLetters() -> [Letter] {
    mailbox.withLock { mailbox in
      defer { mailbox.letters = [] }
      return mailbox.letters
    }
  }

  /// The thread ends and can be joined. It has closed its channels.
  func close() {
    let unread = mailbox.withLock { mailbox in
      mailbox.isClosed = true
      defer { mailbox.letters = [] }
      return mailbox.letters
    }
    for letter in unread { answerUnread(letter) }
  }

  var isClosed: Bool { mailbox.withLock { $0.isClosed } }

  /// A thread that has ended has closed what it had.
  private func answerUnread(_ letter: Letter) {
    if case .closeChannel(_, _, let done) = letter { done() }
  }

  // MARK: Room

  /// Whether its thread will end and takes no channel any more.
  var isEnding: Bool { ending.load(ordering: .acquiring) }

  func noteEnding() { ending.store(true, ordering: .releasing) }

  /// How many channels it has, or keeps room for.
  var load: Int { channelCount.load(ordering: .relaxed) }

  /// Whether so many channels more fit one thread's sleep. Counts them if so.
  func reserve(_ count: Int) -> Bool {
    let sum = channelCount.wrappingAdd(count, ordering: .relaxed).newValue
    if sum <= ChannelSleep.channelCountMaximum { return true }
    release(count)
    return false
  }

  func release(_ count: Int) { channelCount.wrappingSubtract(count, ordering: .relaxed) }
}
