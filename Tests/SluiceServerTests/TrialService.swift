// A service that owns nothing: its operations are what a service can make of a request. It runs in
// a server in this process, on a socket of its own.

import Foundation
import SluiceChannel
import SluiceSystem
import SluiceWire
import Synchronization

@testable import SluiceClient
@testable import SluiceServer

/// What the operations of the trial service do. The number that a request carries is in its file
/// id.
enum Trial {
  /// Answers with the number of the thread that serves.
  static let whichThread = SluiceWire.Operation.fileSize
  /// Is tried again every millisecond, and answered at the try of that number with the count of
  /// tries.
  static let again = SluiceWire.Operation.lock
  /// Waits until a `tell` of the same number.
  static let wait = SluiceWire.Operation.lockAwait
  static let tell = SluiceWire.Operation.unlock
  /// Is handed to a worker, which is done when `release` of the same number was called.
  static let handOver = SluiceWire.Operation.sync
  /// Holds its thread until `release` of the same number was called.
  static let hold = SluiceWire.Operation.truncate
}

final class TrialService: Service {
  let operations: ClosedRange<UInt16> = 0x0020...0x002c
  let features: UInt32 = 0
  let threading: Threading
  let workers = Workers()
  private let state = FutexLock(State())

  struct State {
    var waiters: [UInt64: Waiter] = [:]
    var told: Set<UInt64> = []
    var released: Set<UInt64> = []
    /// Threads that serve now.
    var threadCount = 0
    var openSessions = 0
    var endedSessions = 0
    var openChannels: Set<UInt32> = []
    var hasStopped = false
  }

  init(_ threading: Threading) { self.threading = threading }

  func makeWatch() throws(Errno) -> (any Watch)? { nil }
  func allowItsUse(in ruleset: borrowing LandlockRuleset) throws(Errno) {}

  func startThread(_ thread: any ServingThread) -> any ServiceThread {
    change { $0.threadCount += 1 }
    return TrialThread(self, thread)
  }

  func stop() {
    workers.stop()
    change { $0.hasStopped = true }
  }

  func change<R: Sendable>(_ body: @Sendable (inout State) -> R) -> R {
    state.withLock { body(&$0) }
  }

  var seen: State { state.withLock { $0 } }

  func release(_ number: UInt64) { _ = change { $0.released.insert(number) } }

  /// With a watchdog.
  func awaitRelease(_ number: UInt64) {
    let end = Clock.monotonicNanoseconds() + 20_000_000_000
    while !seen.released.contains(number), Clock.monotonicNanoseconds() < end { usleep(500) }
  }
}

private final class TrialThread: ServiceThread, @unchecked Sendable {
  let service: TrialService
  unowned let serving: any ServingThread
  let number: Int
  let post: any ThreadPost

  init(_ service: TrialService, _ serving: any ServingThread) {
    self.service = service
    self.serving = serving
    number = serving.number
    post = serving.post
  }

  func openSession(_ link: SessionLink) -> any ServiceSession {
    service.change { $0.openSessions += 1 }
    return TrialSession(self, link.id)
  }

  func alarmRang(now: Int64) {}

  func end() { service.change { $0.threadCount -= 1 } }
}

private final class TrialSession: ServiceSession {
  let thread: TrialThread
  let id: UInt64
  private(set) var channels: [UInt32: TrialChannel] = [:]

  init(_ thread: TrialThread, _ id: UInt64) {
    self.thread = thread
    self.id = id
  }

  func openChannel(number: UInt32, end: ProxyEnd) -> any ServiceChannel {
    _ = thread.service.change { $0.openChannels.insert(number) }
    let channel = TrialChannel(thread, id, number, end)
    channels[number] = channel
    return channel
  }

  func closeChannel(number: UInt32) {
    _ = thread.service.change { $0.openChannels.remove(number) }
    channels[number] = nil
  }

  func end() {
    thread.service.change {
      $0.openSessions -= 1
      $0.endedSessions += 1
    }
  }
}

private final class TrialChannel: ServiceChannel, @unchecked Sendable {
  let thread: TrialThread
  let id: UInt64
  let number: UInt32
  let end: ProxyEnd
  var tries: Int64 = 0

  init(_ thread: TrialThread, _ id: UInt64, _ number: UInt32, _ end: ProxyEnd) {
    self.thread = thread
    self.id = id
    self.number = number
    self.end = end
  }

  func serve(
    _ request: Request, _ operation: SluiceWire.Operation, now: @autoclosure () -> Int64
  ) throws(ProtocolViolation) -> Outcome {
    let key = request.file
    let service = thread.service
    switch operation {
    case Trial.whichThread:
      end.complete(.done, OffsetFields(offset: Int64(thread.number)))
    case Trial.again:
      tries += 1
      guard tries >= Int64(key) else {
        return .again(at: tries % 2 == 0 ? nil : Clock.monotonicNanoseconds() + 1_000_000)
      }
      end.complete(.done, OffsetFields(offset: tries))
      tries = 0
    case Trial.wait:
      let waiter = service.change { [alarm = thread.post.alarm] state -> Waiter? in
        if state.told.remove(key) != nil { return nil }
        let waiter =
          state.waiters[key]
          ?? Waiter(deadline: Clock.monotonicNanoseconds() + 20_000_000_000, alarm: alarm)
        state.waiters[key] = waiter
        return waiter
      }
      if let waiter {
        waiter.rest(until: waiter.deadline)
        return .waits(waiter)
      }
      end.complete(.done)
    case Trial.tell:
      let waiter = service.change { state in
        _ = state.told.insert(key)
        return state.waiters.removeValue(forKey: key)
      }
      waiter?.tell(Clock.monotonicNanoseconds())
      end.complete(.done)
    case Trial.handOver:
      guard service.workers.areReady() else {
        end.complete(.systemError, errno: .again)
        return .answered
      }
      service.workers.take { [self] in
        service.awaitRelease(key)
        thread.post.send { [self] in
          end.complete(.done)
          thread.serving.resume(session: id, channel: number, after: operation)
        }
      }
      return .handedOver
    case Trial.hold:
      service.awaitRelease(key)
      end.complete(.done)
    default: end.complete(.misuse, errno: .invalid)
    }
    return .answered
  }
}

/// A server in this process.
final class TrialServer: @unchecked Sendable {
  let service: TrialService
  let path: [CChar]
  private let lifeline: FileDescriptor
  private let failure = FutexLock<Errno?>(nil)
  private let thread: JoinableThread

  /// It ends when this object does.
  init(_ threading: Threading, channelsPerSession: Int = 64) throws {
    let service = TrialService(threading)
    self.service = service
    let name = "/tmp/sluice-server-test-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    path = cString(name)
    let pair = try SocketPair()
    lifeline = pair.ours
    let far = SharedDescriptor(pair.theirs)
    let socket = try listen(onSocket: path, permissions: 0o600)
    var configuration = ServerConfiguration()
    configuration.channelsPerSessionMaximum = channelsPerSession
    let failure = self.failure
    thread = JoinableThread(
      try Thread("test-server") { [configuration] in
        do throws(Errno) {
          let server = try Server(
            service, configuration, .shared(socket.listener, lifeline: far), metrics: Metrics(),
            socketName: socket.name)
          try server.run()
        } catch {
          failure.withLock { [error] in $0 = error }
        }
      })
  }

  func connect() throws -> Session { try Session.connect(toSocket: path) }

  /// Ends the server and waits for it.
  func stop() throws {
    lifeline.shutDown()
    thread.join()
    if let failure = failure.withLock({ $0 }) { throw failure }
  }
}

extension Channel {
  /// One call of the trial service.
  @discardableResult
  func trial(_ operation: SluiceWire.Operation, _ number: UInt64 = 0) throws -> Int64 {
    switch operation {
    case Trial.whichThread, Trial.again:
      try unsafe call(operation, file: number, NoFields(), replyingWith: OffsetFields.self)
        .reply.offset
    default:
      try unsafe Int64(
        call(operation, file: number, NoFields(), replyingWith: NoFields.self).status.rawValue)
    }
  }
}

/// Waits until something holds, with a watchdog.
func eventually(_ condition: () -> Bool) -> Bool {
  let end = Clock.monotonicNanoseconds() + 20_000_000_000
  while Clock.monotonicNanoseconds() < end {
    if condition() { return true }
    usleep(1000)
  }
  return false
}
