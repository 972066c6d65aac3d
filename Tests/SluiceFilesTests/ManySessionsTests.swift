// Many sessions of one sidecar: each has its room, none waits for another's disk, and nobody is told
// of a lock that is no longer held.

import Foundation
import Glibc
import SluiceSystem
import SluiceWire
import Testing

@testable import SluiceClient

struct ManySessionsTests {
  /// More than one reactor holds; all have connected before any opens its database.
  @Test func everySessionHasAChannelForItsDatabase() throws {
    let sidecar = try SidecarProcess()
    let sessions = try (0..<140).map { _ in try sidecar.connect() }
    let files = try sessions.indices.map {
      try sessions[$0].openChannel().openDatabase("\($0).db")
    }
    for index in files.indices { try files[index].write([UInt8(index)], at: 0) }
    for index in files.indices { #expect(try files[index].read(1, at: 0) == [UInt8(index)]) }
  }

  @Test func silentSessionsAreHeardBesideABusyOne() throws {
    let sidecar = try SidecarProcess(["--reactors", "1"])
    let silent = try (0..<30).map { _ in try sidecar.connect().openChannel() }
    let busy = try sidecar.connect().openChannel()
    for round in 0..<3 {
      // Long enough for the others to be looked at rarely.
      for _ in 0..<20_000 { try busy.roundTrip() }
      for channel in silent {
        try channel.roundTrip()
        try busy.roundTrip()
      }
      // And once all sleep.
      if round == 1 { Clock.sleep(nanoseconds: 20_000_000) }
    }
  }

  @Test func sessionsComeAndGoWhileOthersWork() throws {
    let sidecar = try SidecarProcess(["--reactors", "3"])
    DispatchQueue.concurrentPerform(iterations: 4) { thread in
      do {
        for turn in 0..<40 {
          let session = try sidecar.connect()
          let channels = try (0..<5).map { _ in try session.openChannel() }
          let file = try channels[turn % 5].openDatabase("\(thread).db")
          try file.write([UInt8(turn)], at: 0)
          for channel in channels { try channel.roundTrip() }
          #expect(try file.read(1, at: 0) == [UInt8(turn)])
        }
      } catch {
        Issue.record(error)
      }
    }
    #expect(sidecar.isRunning)
  }

  // MARK: Syncs

  /// The second sync: the sidecar has seen by then that the disk is slow.
  @Test(arguments: [false, true])
  func aSlowSyncHoldsUpNobodyElse(isOfOneSession: Bool) throws {
    let sidecar = try SidecarProcess(["--reactors", "1", "--sync-delay", "1000"])
    let session = try sidecar.connect()
    let writer = try session.openChannel().openDatabase("a.db")
    let otherSession = isOfOneSession ? session : try sidecar.connect()
    let other = try otherSession.openChannel().openDatabase("b.db")
    try writer.sync()
    try writer.write([1], at: 0)
    let sync = Background { try writer.sync() }
    Clock.sleep(nanoseconds: 50_000_000)
    for turn in 0..<100 {
      try other.write([UInt8(turn)], at: 0)
      #expect(try other.read(1, at: 0) == [UInt8(turn)])
    }
    #expect(!sync.isOver, "the others were served during the sync")
    #expect(sync.result == .done)
    #expect(try writer.read(1, at: 0) == [1])
  }

  @Test func manySlowSyncsAreAllDone() throws {
    let sidecar = try SidecarProcess(["--sync-delay", "20"])
    let files = try (0..<12).map {
      try sidecar.connect().openChannel().openDatabase("\($0 % 5).db")
    }
    let syncs = files.map { file in
      Background { for _ in 0..<5 { try file.sync() } }
    }
    for sync in syncs { #expect(sync.result == .done) }
  }

  @Test func clientThatGoesDuringItsSyncHoldsNothing() throws {
    let sidecar = try SidecarProcess(["--reactors", "1", "--sync-delay", "1000"])
    let session = try sidecar.connect()
    let writer = try session.openChannel().openDatabase("a.db")
    let other = try sidecar.connect().openChannel().openDatabase("a.db")
    try writer.sync()
    try writer.lock(.shared)
    try writer.lock(.exclusive)
    try writer.write([7], at: 0)
    let sync = Background { try writer.sync() }
    Clock.sleep(nanoseconds: 50_000_000)
    #expect(status { try other.lock(.shared) } == .busy)
    session.lose()
    try other.lock(.shared)
    try other.lock(.exclusive)
    #expect(sync.result == nil, "its call has failed")
    #expect(try other.read(1, at: 0) == [7])
    // The last to close the file, while the workers have it perhaps still.
    try other.close()
    let again = try sidecar.connect().home.openDatabase("a.db")
    try again.lock(.shared)
    #expect(try again.read(1, at: 0) == [7])
    try again.sync()
    #expect(sidecar.isRunning)
  }

  @Test func sidecarStopsDuringASync() throws {
    let sidecar = try SidecarProcess(["--reactors", "1", "--sync-delay", "500"])
    let writer = try sidecar.connect().openChannel().openDatabase("a.db")
    let other = try sidecar.connect()
    try writer.sync()
    // One is under way, others wait for a worker.
    let syncs = try (0..<8).map { _ in
      let file = try sidecar.connect().openChannel().openDatabase("a.db")
      return Background { try file.sync() }
    }
    Clock.sleep(nanoseconds: 50_000_000)
    try other.home.roundTrip()
    sidecar.terminate()
    for sync in syncs { _ = sync.result }
    var hasEnded = false
    for _ in 0..<2000 where !hasEnded {
      hasEnded = !sidecar.isRunning
      Clock.sleep(nanoseconds: 10_000_000)
    }
    #expect(hasEnded)
  }

  // MARK: Busy

  /// The sidecar learns of the end as it would of a death: by its socket.
  @Test(arguments: [1, 2, 3])
  func aDeadClientOfAnotherReactorMakesNobodyBusy(reactorCount: Int) throws {
    let sidecar = try SidecarProcess(["--reactors", "\(reactorCount)"])
    for _ in 0..<100 {
      let dying = try sidecar.connect()
      let file = try dying.openChannel().openDatabase("a.db")
      let other = try sidecar.connect().openChannel().openDatabase("a.db")
      try file.lock(.shared)
      try file.lock(.exclusive)
      #expect(status { try other.lock(.shared) } == .busy)
      dying.lose()
      #expect(status { try other.lock(.shared) } == .done)
      #expect(status { try other.lock(.exclusive) } == .done)
      try other.close()
    }
  }

  /// Also where the client does not wait for the answer to its unlock.
  @Test(arguments: [1, 2])
  func whoHasUnlockedMakesNobodyBusy(reactorCount: Int) throws {
    let sidecar = try SidecarProcess(["--reactors", "\(reactorCount)"])
    let files = try (0..<3).map { _ in
      try sidecar.connect().openChannel().openDatabase("a.db")
    }
    for turn in 0..<3000 {
      let file = files[turn % 3]
      try file.lock(.shared)
      try file.lock(.reserved)
      try file.lock(.exclusive)
      try file.unlock(.none)
    }
  }
}

/// A call on a thread of its own.
private final class Background: Sendable {
  private let outcome = FutexLock<Status??>(nil)
  private let isDone = DispatchSemaphore(value: 0)

  init(_ body: @escaping @Sendable () throws -> Void) {
    Foundation.Thread.detachNewThread { [self] in
      let result = status(body)
      outcome.withLock { $0 = .some(result) }
      isDone.signal()
    }
  }

  var isOver: Bool { outcome.withLock { $0 != nil } }

  /// Waits for the end; nil where the call had no answer.
  var result: Status? {
    isDone.wait()
    isDone.signal()
    return outcome.withLock { $0 ?? nil }
  }
}
