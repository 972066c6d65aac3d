// A sleeper is always woken. Random short pauses on both sides move each publication across every
// moment of the other side's way to sleep. A lost wake shows because the watchdog fires.

import CSluice
import SluiceChannel
import SluiceSystem
import SluiceWire
import Synchronization
import TestSupport
import Testing

@Suite(.serialized, .timeLimit(.minutes(3))) struct SleepTests {
  /// Counts events that the proxy's thread saw.
  private final class Sightings: Sendable {
    let sleepingClients = Atomic<Int>(0)
  }

  @Test(arguments: [0, 100, 5_000])
  func aSleeperIsAlwaysWoken(pollCount: Int) throws {
    let channel = try TestChannel()
    let client = try TestClient(channel)
    let sightings = Sightings()
    var random = SeededRandom(for: "aSleeperIsAlwaysWoken, \(pollCount) polls")
    let seed = random.next()
    let proxyPauses = FutexLock(Pauses(seed: seed))
    let serve: Serve = { (end, _) in
      proxyPauses.withLock { $0.pause() }
      if channel.view.clientSleeps != 0 {
        sightings.sleepingClients.wrappingAdd(1, ordering: .relaxed)
      }
      end.complete(.done)
    }
    var pauses = Pauses(seed: ~seed)
    var sleepingProxyCount = 0
    try withProxy(serving: [channel], pollCount: pollCount, serve) {
      for _ in 0..<3_000 {
        pauses.pause()
        if channel.view.proxySleeps != 0 { sleepingProxyCount += 1 }
        let (answer, _) = try client.call(.nothing)
        #expect(answer.status == .done)
      }
    }
    // Otherwise the pauses were too short for any side to sleep.
    #expect(sightings.sleepingClients.load(ordering: .relaxed) > 0)
    if pollCount < 1_000 { #expect(sleepingProxyCount > 0) }
    #expect(channel.view.clientSleeps == 0)
  }

  // MARK: A proxy that is not told of each request

  @Test(arguments: [2, 4, 32])
  func aProxyThatWasNotToldIsWokenByWhatWaits(slotCount: Int) throws {
    let channel = try TestChannel(.small(slotCount: slotCount))
    let client = try TestClient(channel, tellsAtOnce: false)
    var random = SeededRandom(for: "aProxyThatWasNotToldIsWokenByWhatWaits, \(slotCount) slots")
    let seed = random.next()
    let proxyPauses = FutexLock(Pauses(seed: seed))
    let serve: Serve = { (end, _) in
      proxyPauses.withLock { $0.pause() }
      end.complete(.done)
    }
    var pauses = Pauses(seed: ~seed)
    var postedCount: UInt32 = 0
    try withProxy(serving: [channel], pollCount: 0, serve) {
      for _ in 0..<2_000 {
        for _ in 0..<Int.random(in: 0...slotCount, using: &random) {
          try client.post()
          postedCount += 1
          pauses.pause()
        }
        if Bool.random(using: &random) {
          try client.settle()
        } else {
          _ = try client.call(.nothing)
          postedCount += 1
        }
        #expect(channel.view.completed == postedCount)
      }
    }
  }

  @Test func aSleepingProxyIsToldWhenHalfOfTheSlotsAreTaken() throws {
    let channel = try TestChannel(.small(slotCount: 8))
    let client = try TestClient(channel, tellsAtOnce: false)
    try withProxy(serving: [channel], pollCount: 0, { (end, _) in end.complete(.done) }) {
      func isAsleep() -> Bool { eventually { channel.view.proxySleeps != 0 } }
      for round in 1...20 as ClosedRange<UInt32> {
        #expect(isAsleep())
        for _ in 0..<3 { try client.post() }
        Clock.sleep(nanoseconds: 2_000_000)
        #expect(channel.view.completed == 4 * (round - 1))
        try client.post()
        #expect(eventually { channel.view.completed == 4 * round })
      }
    }
  }

  /// What ends may hold others up, and no other request need follow.
  @Test func aSleepingProxyIsToldOfEachEnd() throws {
    let channel = try TestChannel(.small(slotCount: 8))
    let client = try TestClient(channel, tellsAtOnce: false)
    try withProxy(serving: [channel], pollCount: 0, { (end, _) in end.complete(.done) }) {
      for round in 1...20 as ClosedRange<UInt32> {
        #expect(eventually { channel.view.proxySleeps != 0 })
        try client.post()
        try client.postEnd()
        #expect(eventually { channel.view.completed == 2 * round })
      }
    }
  }

  @Test func everyChannelOfASleepWakesTheSleeper() throws {
    let channels = try (0..<5).map { _ in try TestChannel() }
    let clients = try channels.map { try TestClient($0) }
    var random = SeededRandom(for: "everyChannelOfASleepWakesTheSleeper")
    let file = MemoryFile()
    var expected: [UInt64] = []
    var pauses = Pauses(seed: random.next())
    try withProxy(serving: channels, pollCount: 0, file.serve) {
      for number in 0..<1_000 {
        pauses.pause()
        let index = Int.random(in: 0..<clients.count, using: &random)
        expected.append(UInt64(number))
        _ = try clients[index].call(.nothing, file: UInt64(number))
      }
    }
    #expect(file.filesNamed == expected)
  }

  @Test func clientsOnThreadsOfTheirOwnAreAllServed() throws {
    let channels = try (0..<4).map { _ in try TestChannel() }
    let doneCount = Atomic<Int>(0)
    try withProxy(serving: channels, pollCount: 10, MemoryFile().serve) {
      let group = ClientThreads()
      for channel in channels {
        try group.start {
          guard let client = try? TestClient(channel) else { return }
          var pauses = Pauses(seed: 7)
          for _ in 0..<500 {
            pauses.pause()
            if client.failure(of: .nothing) != nil { return }
          }
          group.finished.wrappingAdd(1, ordering: .sequentiallyConsistent)
        }
      }
      group.join()
      doneCount.store(group.finished.load(ordering: .relaxed), ordering: .relaxed)
    }
    #expect(doneCount.load(ordering: .relaxed) == channels.count)
  }

  @Test func aSignalEndsTheSleepUnderWayAndTheNextOne() throws {
    let channel = try TestChannel()
    let wake = WakeWord()
    // A signal after the word was read: the sleep must not begin.
    let before = wake.signals
    wake.signal()
    try expectToEnd { sleepOnce(on: channel, wake, before) }
    // A signal during the sleep.
    let now = wake.signals
    try expectToEnd(after: { wake.signal() }) { sleepOnce(on: channel, wake, now) }
    #expect(channel.view.proxySleeps == 0)
  }

  @Test func aRequestThatIsThereAlreadyEndsTheSleep() throws {
    let channel = try TestChannel()
    channel.view[request: 1] = sluice_slot(.nothing)
    let wake = WakeWord()
    try expectToEnd { sleepOnce(on: channel, wake, wake.signals) }
  }

  /// Runs `sleeper` on a thread and waits for its end, until the watchdog fires.
  private func expectToEnd(
    after act: () -> Void = {}, _ sleeper: @escaping @Sendable () -> Void
  ) throws {
    let group = ClientThreads()
    try group.start {
      sleeper()
      group.finished.wrappingAdd(1, ordering: .sequentiallyConsistent)
    }
    Clock.sleep(nanoseconds: 20_000_000)
    act()
    let end = Clock.monotonicNanoseconds() + watchdogNanoseconds
    while group.finished.load(ordering: .sequentiallyConsistent) == 0,
      Clock.monotonicNanoseconds() < end
    {
      Clock.sleep(nanoseconds: 1_000_000)
    }
    #expect(group.finished.load(ordering: .sequentiallyConsistent) == 1, "the sleeper woke up")
    group.join()
  }
}

/// Sleeps longer than the watchdog, so that the watchdog fires first, but not for ever.
private func sleepOnce(on channel: TestChannel, _ wake: WakeWord, _ signals: UInt32) {
  guard let end = try? channel.proxyEnd() else { return }
  var sleep = ChannelSleep()
  sleep.sleep(on: [end], wake, signals)
}

/// Pauses of zero length, with some spinning, or with a sleep of up to 300 µs, which is about a
/// spin budget.
private struct Pauses: Sendable {
  private var random: SeededRandom

  init(seed: UInt64) { random = SeededRandom(seed: seed) }

  mutating func pause() {
    switch Int.random(in: 0..<4, using: &random) {
    case 0: break
    case 1: for _ in 0..<Int.random(in: 0...5_000, using: &random) { spinHint() }
    case 2: Clock.sleep(nanoseconds: Int64.random(in: 0...60_000, using: &random))
    default: Clock.sleep(nanoseconds: Int64.random(in: 0...300_000, using: &random))
    }
  }
}

/// Threads that are all joined at the end.
private final class ClientThreads: Sendable {
  let finished = Atomic<Int>(0)
  private let threads = FutexLock<[JoinableThread]>([])

  func start(_ body: @escaping @Sendable () -> Void) throws {
    let thread = JoinableThread(try Thread("test-client", body))
    threads.withLock { $0.append(thread) }
  }

  func join() {
    for thread in threads.withLock({ $0 }) { thread.join() }
  }
}

/// Whether the condition holds before the watchdog fires.
private func eventually(_ condition: () -> Bool) -> Bool {
  let end = Clock.monotonicNanoseconds() + watchdogNanoseconds
  while !condition() {
    if Clock.monotonicNanoseconds() >= end { return false }
    Clock.sleep(nanoseconds: 100_000)
  }
  return true
}
