// Sessions keep apart, and there is a limit to what each may have.

import Foundation
import SluiceWire
import Testing

@testable import SluiceClient

struct SessionTests {
  @Test func idsOfOneSessionMeanNothingInAnother() throws {
    let sidecar = try SidecarProcess()
    let mine = try sidecar.connect()
    let theirs = try sidecar.connect()
    let decoy = try theirs.home.openDatabase("decoy.db")
    let file = try mine.home.openDatabase("secret.db")
    try file.write([1, 2, 3], at: 0)
    let id = try #require(Mirror(reflecting: file).descendant("id") as? UInt64)
    for guess in [id, 0, .max, id & 0xffff, id ^ 1 << 63, id + 1 << 16] {
      let forged = RemoteFile(
        channel: theirs.home,
        OpenReply(
          file: guess, isWritable: true, identity: FileIdentity(), origin: 0, isLocal: true))
      #expect(status { _ = try forged.read(3, at: 0) } == .badFile)
      #expect(status { try forged.write([9], at: 0) } == .badFile)
      #expect(status { try forged.truncate(toByteCount: 0) } == .badFile)
      #expect(status { try forged.lock(.shared) } == .badFile)
      #expect(status { try forged.unlock(.none) } == .badFile)
      #expect(status { _ = try forged.isReserved() } == .badFile)
      #expect(status { try forged.sync() } == .badFile)
      #expect(status { _ = try forged.byteCount() } == .badFile)
      #expect(status { try forged.close() } == .badFile)
    }
    #expect(try file.read(3, at: 0) == [1, 2, 3])
    #expect(try decoy.byteCount() == 0)
  }

  @Test func idOfAClosedFileIsNeverUsedAgain() throws {
    let sidecar = try SidecarProcess()
    let session = try sidecar.connect()
    var seen: Set<UInt64> = []
    for _ in 0..<200 {
      let file = try session.home.openDatabase("a.db")
      let id = try #require(Mirror(reflecting: file).descendant("id") as? UInt64)
      #expect(seen.insert(id).inserted)
      try file.close()
      let ghost = RemoteFile(
        channel: session.home,
        OpenReply(
          file: id, isWritable: true, identity: FileIdentity(), origin: 0, isLocal: true))
      #expect(status { _ = try ghost.byteCount() } == .badFile)
    }
  }

  @Test func channelsOfOneSessionHaveALimitAndTheNextSessionHasItsOwn() throws {
    let sidecar = try SidecarProcess()
    let full = try sidecar.connect()
    var channels: [Channel] = []
    while channels.count < 200 {
      do {
        channels.append(try full.openChannel())
      } catch CallError.refused(.limitReached, _) {
        break
      }
    }
    #expect(channels.count == 63)
    // More sessions than one reactor has room for.
    let sessions = try (0..<40).map { _ in try sidecar.connect() }
    let others = try sessions.map { try $0.openChannel() }
    for channel in channels + others { try channel.roundTrip() }
    for index in others.indices {
      let file = try others[index].openDatabase("\(index).db")
      try file.write([UInt8(index)], at: 0)
      #expect(try file.read(1, at: 0) == [UInt8(index)])
    }
    // The home channel serves those that got none of their own.
    let file = try full.home.openDatabase("home.db")
    try file.write([1], at: 0)
    channels.removeLast()
    channels.append(try full.openChannel())
    try channels.last?.roundTrip()
  }

  @Test func filesOfOneSessionHaveALimitAndCloseMakesRoom() throws {
    let sidecar = try SidecarProcess()
    let session = try sidecar.connect()
    var files: [RemoteFile] = []
    var refusal: Status?
    while files.count < 5000, refusal == nil {
      refusal = status { files.append(try session.home.openDatabase("a.db")) }
      if refusal == .done { refusal = nil }
    }
    #expect(files.count == 4096)
    #expect(refusal == .limitReached)
    try files[17].close()
    #expect(status { _ = try session.home.openDatabase("b.db") } == .done)
    // Another session is not concerned.
    #expect(status { _ = try sidecar.connect().home.openDatabase("c.db") } == .done)
  }

  /// A client that breaks the protocol loses its session and its locks, and nobody else anything.
  @Test func sidecarGoesOnWithoutASessionThatBrokeTheProtocol() throws {
    let sidecar = try SidecarProcess()
    let honest = try sidecar.connect().home.openDatabase("a.db")
    for _ in 0..<20 {
      let session = try sidecar.connect()
      let channel = try session.openChannel()
      let file = try channel.openDatabase("a.db")
      try file.lock(.shared)
      try file.lock(.exclusive)
      #expect(status { try honest.lock(.shared) } == .busy)
      // `read` has an argument.
      #expect(throws: CallError.failed(.peerGone)) {
        _ = try unsafe channel.call(.read, NoFields(), replyingWith: NoFields.self)
      }
      try honest.lock(.shared)
      try honest.lock(.exclusive)
      try honest.unlock(.none)
    }
    #expect(sidecar.isRunning)
  }

  @Test func threadsOfOneSessionMayShareAChannel() throws {
    let sidecar = try SidecarProcess()
    let session = try sidecar.connect()
    let file = try session.home.openDatabase("a.db")
    DispatchQueue.concurrentPerform(iterations: 8) { thread in
      for turn in 0..<200 {
        let bytes = [UInt8](repeating: UInt8(thread), count: 512)
        let offset = Int64(thread * 512)
        do {
          try file.write(bytes, at: offset)
          let back = try file.read(512, at: offset)
          if back != bytes { Issue.record("thread \(thread), turn \(turn): another's bytes") }
        } catch {
          Issue.record(error)
        }
      }
    }
    #expect(try file.byteCount() == 8 * 512)
  }
}
