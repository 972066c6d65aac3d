// The loop, when the system is short of what it needs.

import SluiceServer
import SluiceSystem
import Synchronization
import Testing

@testable import SluiceEngine

@Suite struct WebSocketFaultTests {
  /// Fails as often as it is told, and counts all calls.
  private final class FaultyCalls: WebSocketCalls {
    struct State: Sendable {
      var waitFailureCount = 0
      var acceptFailureCount = 0
      var waitCount = 0
      var acceptCount = 0
    }
    let state = Mutex(State())
    private let error: Errno
    private let system = SystemWebSocketCalls()

    init(_ error: Errno) { self.error = error }

    func wait(_ entries: inout [PollEntry], timeoutMilliseconds: Int32) throws(Errno) {
      let fails = state.withLock { state in
        state.waitCount += 1
        state.waitFailureCount -= 1
        return state.waitFailureCount >= 0
      }
      if fails { throw error }
      try system.wait(&entries, timeoutMilliseconds: timeoutMilliseconds)
    }

    func accept(_ listener: SharedDescriptor) throws(Errno) -> FileDescriptor {
      let fails = state.withLock { state in
        state.acceptCount += 1
        state.acceptFailureCount -= 1
        return state.acceptFailureCount >= 0
      }
      if fails { throw error }
      return try system.accept(listener)
    }
  }

  /// Runs a loop with these calls on a thread, and gives its port to `body`. The loop must end.
  private func withLoop(
    _ calls: FaultyCalls, _ body: (UInt16, WebSocketMailbox) throws -> Void
  ) throws {
    let listener = try unsafe FileDescriptor.listen(
      onAddress: cString("127.0.0.1"), port: 0, backlog: 16)
    let port = try listener.port()
    let shared = SharedDescriptor(listener)
    let mailbox = try WebSocketMailbox()
    let handler = EchoHandler()
    let isOver = FutexLock(false)
    let thread = JoinableThread(
      try Thread("loop") {
        WebSocketLoop(
          listener: shared, limits: WebSocketLimits(), origins: OriginRule([]), handler: handler,
          mailbox: mailbox, calls: calls
        ).run()
        isOver.withLock { $0 = true }
      })
    try body(port, mailbox)
    mailbox.stop()
    let deadline = Clock.monotonicNanoseconds() + 20_000_000_000
    while !isOver.withLock({ $0 }), Clock.monotonicNanoseconds() < deadline {
      Clock.sleep(nanoseconds: 5_000_000)
    }
    try #require(isOver.withLock { $0 })
    thread.join()
  }

  @Test func aPollThatFailsIsCalledAgain() throws {
    let calls = FaultyCalls(.outOfMemory)
    calls.state.withLock { $0.waitFailureCount = 3 }
    try withLoop(calls) { port, _ in
      let peer = try RawPeer(port: port)
      #expect(peer.greet())
      peer.send(clientFrame(1, "hello"))
      #expect(peer.receive(byteCount: 7))
    }
    #expect(calls.state.withLock { $0.waitCount } > 3)
  }

  @Test func theLoopEndsWhilePollFails() throws {
    let calls = FaultyCalls(.outOfMemory)
    calls.state.withLock { $0.waitFailureCount = .max }
    try withLoop(calls) { _, _ in Clock.sleep(nanoseconds: 200_000_000) }
    // It sleeps between the calls.
    #expect(calls.state.withLock { $0.waitCount } < 1000)
  }

  @Test(arguments: [Errno.noBufferSpace, .outOfMemory, .tooManyOpen, .tooManyOpenInSystem])
  func aConnectionForWhichThereIsNoRoomIsTakenLater(error: Errno) throws {
    let calls = FaultyCalls(error)
    calls.state.withLock { $0.acceptFailureCount = 1 }
    try withLoop(calls) { port, _ in
      let start = Clock.monotonicNanoseconds()
      let peer = try RawPeer(port: port)
      #expect(peer.greet())
      #expect(Clock.monotonicNanoseconds() - start > 900_000_000)
    }
  }
}
