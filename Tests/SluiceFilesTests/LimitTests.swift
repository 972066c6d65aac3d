// What one client may have of a sidecar, and that the others have theirs meanwhile.

import Foundation
import Glibc
import SluiceSystem
import SluiceWire
import Testing

@testable import SluiceClient

struct LimitTests {
  /// Half of them find no place and are sent away; one of the others makes room for who comes later.
  @Test func silentVisitorsMakeRoomForOthers() throws {
    let sidecar = try SidecarProcess()
    let silent = try (0..<256).map { _ in try sidecar.connectSilently() }
    // Until the last of them has been looked at.
    #expect(eventually { silent.count { $0.descriptor.peerIsGone() } == 128 })
    Clock.sleep(nanoseconds: 300_000_000)
    let session = try sidecar.connect()
    try session.home.roundTrip()
    #expect(silent.count { $0.descriptor.peerIsGone() } == 129)
  }

  @Test func channelsOfASessionHaveALimit() throws {
    let sidecar = try SidecarProcess(["--channels-per-session", "3", "--reactors", "1"])
    let full = try sidecar.connect()
    var channels = try (0..<2).map { _ in try full.openChannel() }
    #expect(status { _ = try full.openChannel() } == .limitReached)
    // The other session has as many, and the first goes on.
    let other = try sidecar.connect()
    for channel in try (0..<2).map({ _ in try other.openChannel() }) { try channel.roundTrip() }
    for channel in channels { try channel.roundTrip() }
    channels.removeLast()
    channels.append(try full.openChannel())
    try channels.last?.roundTrip()
  }

  @Test func filesOfASessionHaveALimit() throws {
    let sidecar = try SidecarProcess(["--files-per-session", "10"])
    let session = try sidecar.connect()
    let files = try (0..<10).map { try session.home.openDatabase("\($0).db") }
    #expect(status { _ = try session.home.openDatabase("10.db") } == .limitReached)
    try sidecar.connect().home.openDatabase("10.db").write([1], at: 0)
    try files[3].close()
    try session.home.openDatabase("10.db").write([1], at: 0)
  }

  /// Each line that is not there is counted in one that is.
  @Test func nobodyFillsTheLog() throws {
    let sidecar = try SidecarProcess()
    let count = 60
    for _ in 0..<count {
      let session = try sidecar.connect()
      // `read` has an argument.
      _ = try? unsafe session.home.call(.read, NoFields(), replyingWith: NoFields.self)
    }
    try sidecar.connect().home.roundTrip()
    sidecar.terminate()
    #expect(eventually { !sidecar.isRunning })
    let lines = sidecar.errors.split(separator: "\n")
    let told = lines.count { $0.contains("broke the protocol") }
    let leftOut = lines.compactMap { line -> Int? in
      guard line.hasSuffix("were left out") else { return nil }
      return line.split(separator: " ").compactMap { Int($0) }.first
    }
    #expect(told >= 20)
    #expect(leftOut.reduce(told, +) == count, "\(sidecar.errors)")
    #expect(!leftOut.isEmpty)
  }

  // MARK: Quota

  @Test func filesTogetherStayWithinTheQuota() throws {
    let sidecar = try SidecarProcess(["--quota", "100K"])
    let mine = try sidecar.connect().home.openDatabase("mine.db")
    let theirs = try sidecar.connect().home.openDatabase("theirs.db")
    let page = [UInt8](repeating: 7, count: 4096)
    for index in 0..<24 { try mine.write(page, at: Int64(index) * 4096) }
    try theirs.write(page, at: 0)
    try theirs.sync()
    // 25 pages are the whole of it.
    for file in [mine, theirs] {
      let end = try file.byteCount()
      #expect(overQuota { try file.write([1], at: end) })
      #expect(try file.byteCount() == end)
      // What is there may be overwritten and read.
      try file.write(page, at: 0)
      #expect(try file.read(4096, at: 0) == page)
    }
    try mine.truncate(toByteCount: 4096)
    for index in 1..<24 { try theirs.write(page, at: Int64(index) * 4096) }
    #expect(overQuota { try theirs.write([1], at: 24 * 4096) })
    try theirs.close()
    // Its name goes, and its room with it.
    let home = try sidecar.connect().home
    try home.delete(Array("theirs.db".utf8), syncDirectory: false)
    for index in 1..<25 { try mine.write(page, at: Int64(index) * 4096) }
    #expect(overQuota { try mine.write([1], at: 25 * 4096) })
  }

  @Test func quotaCountsWhatIsThereAndEachFileOnce() throws {
    let sidecar = try SidecarProcess(["--quota", "100K"]) { root in
      let inner = root.appending(path: "a/b")
      try FileManager.default.createDirectory(at: inner, withIntermediateDirectories: true)
      try Data(count: 50 << 10).write(to: inner.appending(path: "old.db"))
      try FileManager.default.linkItem(
        at: inner.appending(path: "old.db"), to: root.appending(path: "linked.db"))
      try FileManager.default.createSymbolicLink(
        at: root.appending(path: "around"), withDestinationURL: root)
      try Data(count: 200 << 10).write(to: inner.appending(path: "old.db-shm"))
    }
    let file = try sidecar.connect().home.openDatabase("new.db")
    try file.write([UInt8](repeating: 1, count: 50 << 10), at: 0)
    #expect(overQuota { try file.write([1], at: 50 << 10) })
  }

  @Test func unnamedFilesCountWhileTheyAreOpen() throws {
    let sidecar = try SidecarProcess(["--quota", "64K"])
    let home = try sidecar.connect().home
    for _ in 0..<5 {
      let file = try home.open(
        OpenRequest(path: nil, kind: .temporary, options: [.readWrite, .create]))
      try file.write([UInt8](repeating: 1, count: 60_000), at: 0)
      #expect(overQuota { try file.write([UInt8](repeating: 1, count: 60_000), at: 60_000) })
      try file.close()
    }
  }

  /// Whether a write, and then the sync that would make it durable, fails with EDQUOT.
  private func overQuota(_ body: () throws -> Void) -> Bool {
    do {
      try body()
      return false
    } catch CallError.refused(.systemError, .overQuota) {
      return true
    } catch {
      Issue.record(error)
      return false
    }
  }
}

private func eventually(_ condition: () -> Bool) -> Bool {
  let end = ContinuousClock.now + .seconds(30)
  while !condition() {
    if ContinuousClock.now > end { return false }
    usleep(2000)
  }
  return true
}
