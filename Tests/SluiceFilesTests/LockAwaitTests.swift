// Standing in line through the typed calls: which client is called, which is refused at once, and
// what becomes of the line when a client goes.

import Foundation
import Glibc
import SluiceSystem
import SluiceWire
import Testing

@testable import SluiceClient

struct LockAwaitTests {
  private let sidecar: SidecarProcess
  private let session: Session

  init() throws {
    sidecar = try SidecarProcess()
    session = try sidecar.connect()
  }

  /// A file on a channel of its own, where it can wait.
  private func open(_ session: Session? = nil) throws -> RemoteFile {
    try (session ?? self.session).openChannel().openDatabase("a.db")
  }

  /// A call in a thread of its own.
  private final class Call: Sendable {
    private let result = FutexLock<Status?>(nil)
    private let end = DispatchSemaphore(value: 0)

    init(_ body: @escaping @Sendable () throws -> Void) {
      Foundation.Thread.detachNewThread {
        let said = status(body)
        self.result.withLock { $0 = said }
        self.end.signal()
      }
    }

    /// What it was answered; nil if it failed otherwise, or hangs.
    func answer() -> Status? {
      if end.wait(timeout: .now() + 20) == .timedOut { return nil }
      end.signal()
      return result.withLock { $0 }
    }

    var isUnderWay: Bool {
      if end.wait(timeout: .now() + 0.05) == .timedOut { return true }
      end.signal()
      return false
    }
  }

  private func waiting(_ file: RemoteFile, _ lock: AwaitedLock, _ milliseconds: Int64) -> Call {
    let call = Call {
      guard try file.awaitLock(lock, milliseconds: milliseconds) else {
        throw CallError.refused(.busy, .again)
      }
    }
    // Its place in line is what the test is about: let it get there.
    _ = call.isUnderWay
    return call
  }

  private func write(_ file: RemoteFile) throws {
    try file.lock(.shared)
    try file.lock(.reserved)
  }

  /// The order is the queue's own test's: here a thread may be late.
  @Test func everyWaiterIsCalled() throws {
    let holder = try open()
    try write(holder)
    let files = try (0..<4).map { _ in try open(try sidecar.connect()) }
    let calls = files.map { file in
      Call {
        var isDone = false
        while !isDone {
          #expect(try file.awaitLock(.reserved, milliseconds: 10_000))
          try file.lock(.shared)
          isDone = status { try file.lock(.reserved) } == .done
          try file.unlock(.none)
        }
      }
    }
    for call in calls { #expect(call.isUnderWay) }
    try holder.unlock(.none)
    for call in calls { #expect(call.answer() == .done) }
  }

  @Test func waitEndsWhenItsTimeIsUp() throws {
    let holder = try open()
    try write(holder)
    let began = ContinuousClock.now
    #expect(try !open().awaitLock(.reserved, milliseconds: 50))
    #expect(ContinuousClock.now - began >= .milliseconds(50))
    #expect(try !open().awaitLock(.reserved, milliseconds: 0))
    #expect(try open().awaitLock(.file(.shared), milliseconds: 0), "readers are welcome")
  }

  @Test func freeLockIsAwaitedByNobody() throws {
    let file = try open()
    for lock in [.file(.shared), .reserved, .file(.exclusive)] as [AwaitedLock] {
      #expect(try file.awaitLock(lock, milliseconds: 0))
    }
    try write(file)
    #expect(try file.awaitLock(.reserved, milliseconds: 0), "it has it")
    try file.lock(.exclusive)
    try file.unlock(.none)
  }

  @Test func claimKeepsOthersOutForAMoment() throws {
    let (holder, called, other) = (try open(), try open(), try open())
    try write(holder)
    try called.lock(.shared)
    try other.lock(.shared)
    let call = waiting(called, .reserved, 10_000)
    try holder.unlock(.none)
    #expect(call.answer() == .done)
    // The claim ends after a time, because its client does not come.
    let deadline = ContinuousClock.now + .seconds(20)
    while status({ try other.lock(.reserved) }) == .busy, ContinuousClock.now < deadline {
      usleep(1000)
    }
    #expect(status { try called.lock(.reserved) } == .busy)
  }

  // MARK: Deadlocks

  @Test func readerThatWantsToWriteIsRefusedAtOnceWhenTheWriterWaitsForIt() throws {
    let (reader, writer) = (try open(), try open())
    try reader.lock(.shared)
    try write(writer)
    #expect(status { try writer.lock(.exclusive) } == .busyPending)
    for lock in [.reserved, .file(.exclusive)] as [AwaitedLock] {
      let call = waiting(reader, lock, 10_000)
      #expect(call.answer() == .busy)
    }
    // The writer is called when the reader goes.
    let call = waiting(writer, .file(.exclusive), 10_000)
    #expect(call.isUnderWay)
    try reader.unlock(.none)
    #expect(call.answer() == .done)
    try writer.lock(.exclusive)
  }

  @Test func readerThatWaitsIsRefusedWhenTheWriterComesToWaitForIt() throws {
    let (reader, writer) = (try open(), try open())
    try reader.lock(.shared)
    try write(writer)
    let call = waiting(reader, .reserved, 10_000)
    #expect(call.isUnderWay)
    #expect(status { try writer.lock(.exclusive) } == .busyPending)
    #expect(call.answer() == .busy)
  }

  @Test func newReaderWaitsForTheEndOfTheCommit() throws {
    let (reader, writer) = (try open(), try open())
    try write(writer)
    try writer.lock(.exclusive)
    let call = waiting(reader, .file(.shared), 10_000)
    #expect(call.isUnderWay)
    try writer.unlock(.shared)
    #expect(call.answer() == .done)
    try reader.lock(.shared)
  }

  // MARK: Clients that go

  @Test func deathOfAWaiterFreesItsPlaceAndItsClaim() throws {
    let holder = try open()
    try write(holder)
    let dying = try sidecar.connect()
    let first = waiting(try open(dying), .reserved, 10_000)
    let heirs = try [open(), open()]
    let second = waiting(heirs[0], .reserved, 10_000)
    dying.lose()
    #expect(first.answer() == nil, "its session is over")
    try holder.unlock(.none)
    #expect(second.answer() == .done)
    try write(heirs[0])

    let called = try sidecar.connect()
    let claimant = waiting(try open(called), .reserved, 10_000)
    let third = waiting(heirs[1], .reserved, 10_000)
    try heirs[0].unlock(.none)
    #expect(claimant.answer() == .done)
    called.lose()
    #expect(third.answer() == .done)
  }

  @Test func closingTheFileOfAWaiterAnswersIt() throws {
    let holder = try open()
    try write(holder)
    let file = try open()
    let call = waiting(file, .reserved, 10_000)
    // Through another channel, for its own is taken.
    let twin = RemoteFile(
      channel: session.home,
      OpenReply(
        file: file.id, isWritable: true, identity: FileIdentity(), origin: 0, isLocal: true))
    try twin.close()
    #expect(call.answer() == .badFile)
    let next = waiting(try open(), .reserved, 10_000)
    try holder.unlock(.none)
    #expect(next.answer() == .done)
  }

  // MARK: The WAL index

  @Test func waitersForTheWALsWriteLockAreCalledToo() throws {
    let files = try (0..<3).map { _ in try open() }
    #expect(status { _ = try files[0].awaitLock(.walWrite, milliseconds: 0) } == .misuse)
    for file in files {
      _ = try file.joinWALIndex(
        WALIndexMapRequest(
          byteCount: 32768, extends: true, isReadOnly: false, wantsDescriptor: false))
    }
    try files[0].lockWALIndex(first: 0, count: 1, .exclusive)
    let calls = [waiting(files[1], .walWrite, 10_000), waiting(files[2], .walWrite, 10_000)]
    #expect(calls[0].isUnderWay && calls[1].isUnderWay)
    try files[0].lockWALIndex(first: 0, count: 1, .unlock)
    #expect(calls[0].answer() == .done)
    while status({ try files[1].lockWALIndex(first: 0, count: 1, .exclusive) }) == .busy {
      usleep(500)
    }
    try files[1].unmapWALIndex(deletes: false)
    #expect(calls[1].answer() == .done)

    try files[0].lockWALIndex(first: 4, count: 1, .shared)
    let checkpoint = waiting(files[2], .walIndexExclusive(0b11110000), 10_000)
    #expect(checkpoint.isUnderWay)
    try files[0].lockWALIndex(first: 4, count: 1, .unlock)
    #expect(checkpoint.answer() == .done)
  }

  // MARK: Outside

  @Test func lockOfAnOutsiderIsAwaitedToo() throws {
    let outsider = unsafe Glibc.open(sidecar.file("a.db").path, O_RDWR | O_CREAT, 0o600)
    defer { Glibc.close(outsider) }
    #expect(set(outsider, F_WRLCK, 0x4000_0001))
    let file = try open()
    let call = waiting(file, .reserved, 10_000)
    #expect(call.isUnderWay)
    #expect(set(outsider, F_UNLCK, 0x4000_0001))
    #expect(call.answer() == .done)
    try write(file)
  }

  private func set(_ file: Int32, _ kind: Int32, _ start: Int) -> Bool {
    var lock = flock()
    lock.l_type = Int16(kind)
    lock.l_whence = Int16(SEEK_SET)
    lock.l_start = start
    lock.l_len = 1
    return unsafe fcntl(file, F_SETLK, &lock) == 0
  }
}
