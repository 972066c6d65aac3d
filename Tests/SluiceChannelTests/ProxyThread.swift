// A small proxy on its own thread, which polls and sleeps as the real reactor does.

import SluiceChannel
import SluiceSystem
import SluiceWire
import Synchronization

/// The state that the thread and its test share.
private final class ProxyState: Sendable {
  let wake = WakeWord()
  let isStopping = Atomic<Bool>(false)
  let violation = FutexLock<ProtocolViolation?>(nil)
}

typealias Serve = @Sendable (ProxyEnd, Request) throws(ProtocolViolation) -> Void

/// Serves the channels on another thread while `body` runs. Returns the violation that ended the
/// thread early, or nil.
@discardableResult
func withProxy(
  serving channels: [TestChannel], pollCount: Int = 100, _ serve: @escaping Serve,
  _ body: () throws -> Void
) throws -> ProtocolViolation? {
  let state = ProxyState()
  let thread = JoinableThread(
    try Thread("test-proxy") {
      do throws(ProtocolViolation) {
        try run(channels, pollCount, serve, state)
      } catch {
        state.violation.withLock { [error] in $0 = error }
      }
    })
  defer {
    state.isStopping.store(true, ordering: .sequentiallyConsistent)
    state.wake.signal()
    thread.join()
  }
  try body()
  return state.violation.withLock { $0 }
}

private func run(
  _ channels: [TestChannel], _ pollCount: Int, _ serve: Serve, _ state: ProxyState
) throws(ProtocolViolation) {
  let ends = channels.compactMap { try? $0.proxyEnd() }
  precondition(ends.count == channels.count, "regions just made can be attached")
  var sleep = ChannelSleep()
  var idleCount = 0
  while true {
    let signals = state.wake.signals
    if state.isStopping.load(ordering: .sequentiallyConsistent) { return }
    var worked = false
    for end in ends {
      guard let request = try end.nextRequest() else { continue }
      try serve(end, request)
      worked = true
    }
    idleCount = worked ? 0 : idleCount + 1
    if idleCount <= pollCount { continue }
    // A lost wake must show: the client's watchdog fires long before this sleep ends.
    sleep.sleep(on: ends, state.wake, signals)
    idleCount = 0
  }
}

extension ChannelSleep {
  /// The reactor's sleep, but with a limit. It is longer than the watchdog, so that the watchdog
  /// fires first.
  mutating func sleep(on ends: [ProxyEnd], _ wake: WakeWord, _ signals: UInt32) {
    prepare(wake: wake, signals: signals)
    for end in ends { end.announceSleep() }
    if ends.allSatisfy({ add($0.watch) }) {
      sleep(timeoutNanoseconds: 2 * watchdogNanoseconds)
    }
    for end in ends { end.endSleep() }
  }
}

/// One file in memory, with an answer to every operation. Only the proxy's thread uses it while the
/// thread serves.
final class MemoryFile: @unchecked Sendable {
  private(set) var content: [UInt8]
  private(set) var filesNamed: [UInt64] = []

  init(_ content: [UInt8] = []) { self.content = content }

  func serve(_ end: ProxyEnd, _ request: Request) throws(ProtocolViolation) {
    filesNamed.append(request.file)
    switch request.operation {
    case .write:
      let start = Int(try end.arguments(of: request, as: OffsetFields.self).offset)
      let bytes = unsafe Array(request.payload)
      if content.count < start + bytes.count {
        content += [UInt8](repeating: 0, count: start + bytes.count - content.count)
      }
      content.replaceSubrange(start..<(start + bytes.count), with: bytes)
      end.complete(.done)
    case .read:
      let start = Int(try end.arguments(of: request, as: OffsetFields.self).offset)
      let rest = content[min(start, content.count)...].prefix(unsafe request.payload.count)
      unsafe request.payload.copyBytes(from: rest)
      let isWhole = unsafe rest.count == request.payload.count
      end.complete(isWhole ? .done : .doneShort, sentByteCount: rest.count)
    case .fileSize:
      end.complete(.done, OffsetFields(offset: Int64(content.count)))
    case .fullPathname:
      // Reversed, so that the answer cannot be mistaken for its request.
      let path = try end.arguments(of: request, as: PathFields.self).path
      end.complete(.doneThroughLink, PathFields(path: path.reversed()))
    case .delete: end.complete(.systemError, errno: .accessDenied)
    case nil: end.complete(.unknownOperation)
    default: end.complete(.done)
    }
  }
}
