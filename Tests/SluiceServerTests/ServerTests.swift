// What a server does for a service: it serves requests whose outcome is each of the four, with
// threads that are shared and with a thread for each channel.

import Foundation
import SluiceChannel
import SluiceSystem
import SluiceWire
import Testing

@testable import SluiceClient
@testable import SluiceServer

private let ways: [Threading] = [.shared(count: 1), .shared(count: 2), .perChannel(maximum: 16)]

/// A call in another thread of this process.
private final class Pending: @unchecked Sendable {
  private let isDone = DispatchSemaphore(value: 0)
  private var result: Result<Int64, any Error>?

  init(_ channel: Channel, _ operation: SluiceWire.Operation, _ number: UInt64) {
    Foundation.Thread.detachNewThread {
      self.result = Result { try channel.trial(operation, number) }
      self.isDone.signal()
    }
  }

  func get() throws -> Int64 {
    guard isDone.wait(timeout: .now() + 20) == .success, let result else { throw Errno.timedOut }
    return try result.get()
  }

  var isOver: Bool { result != nil }
}

@Suite struct ServerTests {
  @Test(arguments: ways) func manyChannelsOfManySessionsAreServed(_ threading: Threading) throws {
    let server = try TrialServer(threading)
    let sessions = try (0..<3).map { _ in try server.connect() }
    let channels = try sessions.flatMap { session in
      try (0..<3).map { _ in try session.openChannel() }
    }
    for _ in 0..<200 {
      for channel in channels { _ = try channel.trial(Trial.whichThread) }
      for session in sessions { try session.home.roundTrip() }
    }
    try server.stop()
    #expect(server.service.seen.openSessions == 0)
    #expect(server.service.seen.hasStopped)
    #expect(server.service.seen.threadCount == 0)
    #expect(throws: CallError.self) { try channels[0].trial(Trial.whichThread) }
  }

  @Test func whereThreadsAreSharedASessionStaysWithOne() throws {
    let server = try TrialServer(.shared(count: 1))
    let session = try server.connect()
    let channels = try (0..<4).map { _ in try session.openChannel() }
    let threads = try Set(channels.map { try $0.trial(Trial.whichThread) })
    #expect(threads.count == 1)
    #expect(server.service.seen.threadCount == 1)
    try server.stop()
  }

  @Test func whereEachChannelHasAThreadNoTwoShareOne() throws {
    let server = try TrialServer(.perChannel(maximum: 16))
    let session = try server.connect()
    let channels = try (0..<4).map { _ in try session.openChannel() }
    let threads = try Set(channels.map { try $0.trial(Trial.whichThread) })
    #expect(threads.count == 4)
    #expect(try !threads.contains(session.home.trial(Trial.whichThread)))
    try server.stop()
  }

  @Test func aChannelThatHoldsItsThreadHoldsUpNoOtherThread() throws {
    let server = try TrialServer(.perChannel(maximum: 16))
    let session = try server.connect()
    let (slow, other) = (try session.openChannel(), try session.openChannel())
    let pending = Pending(slow, Trial.hold, 1)
    for _ in 0..<100 { _ = try other.trial(Trial.whichThread) }
    try session.home.roundTrip()
    #expect(!pending.isOver)
    server.service.release(1)
    #expect(try pending.get() == 0)
    try server.stop()
  }

  @Test(arguments: ways) func aRequestIsTriedAgainUntilItIsDone(_ threading: Threading) throws {
    let server = try TrialServer(threading)
    let session = try server.connect()
    let (again, other) = (try session.openChannel(), try session.openChannel())
    for count in UInt64(1)...12 {
      let pending = Pending(again, Trial.again, count)
      for _ in 0..<20 { _ = try other.trial(Trial.whichThread) }
      #expect(try pending.get() == Int64(count))
    }
    try server.stop()
  }

  @Test(arguments: ways) func aRequestWaitsUntilItIsTold(_ threading: Threading) throws {
    let server = try TrialServer(threading)
    let (one, two) = (try server.connect(), try server.connect())
    let waiting = try one.openChannel()
    let telling = try two.openChannel()
    for number in UInt64(1)...50 {
      let pending = Pending(waiting, Trial.wait, number)
      // With luck it waits by now. If not, it finds that it was told.
      if number % 2 == 0 {
        #expect(eventually { server.service.seen.waiters[number] != nil })
        #expect(!pending.isOver)
      }
      try telling.trial(Trial.tell, number)
      #expect(try pending.get() == 0)
    }
    try server.stop()
  }

  @Test(arguments: ways) func whatIsHandedOverHoldsUpNoOther(_ threading: Threading) throws {
    let server = try TrialServer(threading)
    let session = try server.connect()
    let (slow, other) = (try session.openChannel(), try session.openChannel())
    let pending = Pending(slow, Trial.handOver, 7)
    for _ in 0..<100 { _ = try other.trial(Trial.whichThread) }
    #expect(!pending.isOver)
    server.service.release(7)
    #expect(try pending.get() == 0)
    #expect(try slow.trial(Trial.again, 1) == 1)
    try server.stop()
  }

  /// The client closes a channel on another, and both threads have to agree.
  @Test(arguments: ways) func aClosedChannelMakesRoomForAnother(_ threading: Threading) throws {
    let server = try TrialServer(threading, channelsPerSession: 4)
    let session = try server.connect()
    for _ in 0..<40 {
      let channels = try (0..<3).map { _ in try session.openChannel() }
      for channel in channels { _ = try channel.trial(Trial.whichThread) }
      #expect(throws: CallError.refused(.limitReached, .tooManyOpen)) {
        _ = try session.openChannel()
      }
      #expect(server.service.seen.openChannels.count == 4)
      withExtendedLifetime(channels) {}
    }
    #expect(server.service.seen.openChannels.count == 1)
    try server.stop()
  }

  @Test func threadsAreLimitedAndComeBack() throws {
    let server = try TrialServer(.perChannel(maximum: 3))
    let session = try server.connect()
    for _ in 0..<20 {
      let (one, two) = (try session.openChannel(), try session.openChannel())
      #expect(throws: CallError.refused(.limitReached, .tooManyOpen)) {
        _ = try session.openChannel()
      }
      #expect(throws: ConnectError.refused(.tooManySessions)) { _ = try server.connect() }
      _ = try one.trial(Trial.whichThread)
      _ = try two.trial(Trial.whichThread)
    }
    // A thread that was asked to end has ended soon.
    #expect(eventually { (try? server.connect()) != nil })
    try server.stop()
  }

  @Test(arguments: ways) func aClientThatGoesTakesAllItsChannelsAlong(
    _ threading: Threading
  ) throws {
    let server = try TrialServer(threading)
    var session: Session? = try server.connect()
    var channels = try (0..<3).map { _ in try session!.openChannel() }
    for channel in channels { _ = try channel.trial(Trial.whichThread) }
    let parts = server.service.seen.openSessions
    if case .perChannel = threading { #expect(parts == 4) } else { #expect(parts == 1) }
    let waiting = Pending(channels[0], Trial.wait, 99)
    #expect(eventually { server.service.seen.waiters[99] != nil })
    session!.lose()
    channels = []
    session = nil
    #expect(eventually { server.service.seen.endedSessions == parts })
    #expect(server.service.seen.openSessions == 0)
    #expect(throws: (any Error).self) { try waiting.get() }
    // Others are served as before.
    try server.connect().home.roundTrip()
    try server.stop()
  }

  @Test(arguments: ways) func aBrokenProtocolEndsTheSessionOnAllThreads(
    _ threading: Threading
  ) throws {
    let server = try TrialServer(threading)
    let session = try server.connect()
    let (one, two) = (try session.openChannel(), try session.openChannel())
    for channel in [one, two] { _ = try channel.trial(Trial.whichThread) }
    let parts = server.service.seen.openSessions
    // An argument where there is none.
    #expect(throws: CallError.failed(.peerGone)) {
      _ = try unsafe one.call(
        Trial.whichThread, OffsetFields(offset: 1), replyingWith: OffsetFields.self)
    }
    #expect(eventually { server.service.seen.endedSessions == parts })
    #expect(throws: CallError.self) { try two.trial(Trial.whichThread) }
    try server.stop()
  }

  @Test func anOperationOfNoServiceIsUnknown() throws {
    let server = try TrialServer(.shared(count: 1))
    let session = try server.connect()
    for operation in [SluiceWire.Operation.access, .walIndexMap] {
      #expect(throws: CallError.refused(.unknownOperation, Errno(0))) {
        _ = try unsafe session.home.call(
          operation, PathFields(path: [1]), replyingWith: NoFields.self)
      }
    }
    try session.home.roundTrip()
    try server.stop()
  }

  @Test func aChannelThatIsNotThereCannotBeClosed() throws {
    let server = try TrialServer(.perChannel(maximum: 8))
    let session = try server.connect()
    for number: UInt64 in [0, 5, 1 << 31] {
      #expect(throws: CallError.refused(.misuse, .invalid)) {
        _ = try unsafe session.home.call(
          .channelClose, ChannelFields(channel: number), replyingWith: NoFields.self)
      }
    }
    try server.stop()
  }
}
