// The read window of a WAL, through the typed calls: that what is written stands there at once, and
// that it is owned only while the WAL's database is.

import Foundation
import Glibc
import SluiceChannel
import SluiceClient
import SluiceWire
import Testing

struct WALWindowTests {
  private let sidecar: SidecarProcess
  private let session: Session

  init() throws {
    sidecar = try SidecarProcess()
    session = try sidecar.connect()
  }

  private func openWAL(_ name: String, on channel: Channel) throws -> RemoteFile {
    try channel.open(
      OpenRequest(path: Array(name.utf8), kind: .wal, options: [.readWrite, .create]))
  }

  /// A database that is owned, its WAL, and the WAL's window.
  private func opened() throws -> (database: RemoteFile, wal: RemoteFile, window: WindowRegion) {
    let database = try session.home.openDatabase("a.db")
    try database.lock(.shared)
    let wal = try openWAL("a.db-wal", on: session.home)
    return (database, wal, try #require(try wal.openWindow()?.region))
  }

  private func content(_ window: WindowRegion, at offset: Int64, _ count: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    let isThere = unsafe bytes.withUnsafeMutableBytes { unsafe window.copy(into: $0, at: offset) }
    return isThere ? bytes : nil
  }

  private func frame(_ value: UInt8) -> [UInt8] { [UInt8](repeating: value, count: 24 + 4096) }

  private func open(outside name: String) -> Int32 {
    unsafe Glibc.open(sidecar.file(name).path, O_RDWR)
  }

  @Test func whatIsWrittenStandsInTheWindowAtOnce() throws {
    let (database, wal, window) = try opened()
    #expect(window.isOwned)
    try wal.write([UInt8](repeating: 1, count: 32), at: 0)
    for number in 0..<20 {
      let start = Int64(32 + number * 4120)
      let bytes = frame(UInt8(number + 1))
      try wal.write(Array(bytes[..<24]), at: start)
      try wal.write(Array(bytes[24...]), at: start + 24)
      #expect(content(window, at: start, 4120) == bytes)
    }
    #expect(window.knownByteCount == Int64(32 + 20 * 4120))
    #expect(content(window, at: 32, 3 * 4120) == frame(1) + frame(2) + frame(3))
    // The next transactions begin at the front again.
    try wal.write(Array(frame(99)[24...]), at: 32 + 24)
    #expect(content(window, at: 32 + 24, 4096) == Array(frame(99)[24...]))
    #expect(content(window, at: 32 + 4120, 4120) == frame(2))
    try wal.truncate(toByteCount: 32 + 4120)
    #expect(content(window, at: 32 + 4120, 1) == nil)
    withExtendedLifetime(database) {}
  }

  /// It is opened in the midst of a WAL, whose last granule is half full.
  @Test func aWindowThatIsOpenedLateTakesTheNextWrite() throws {
    let database = try session.home.openDatabase("a.db")
    try database.lock(.shared)
    let wal = try openWAL("a.db-wal", on: session.home)
    try wal.write(frame(1), at: 0)
    let window = try #require(try wal.openWindow()?.region)
    #expect(content(window, at: 0, 4096) == nil)
    try wal.write(frame(2), at: 4120)
    #expect(content(window, at: 4096, 24 + 4120) == frame(1)[..<24] + frame(2))
    #expect(try wal.read(4096, at: 0) == Array(frame(1)[..<4096]))
    withExtendedLifetime(database) {}
  }

  @Test func aProgramOutsideThatOpensTheDatabaseEndsIt() throws {
    let (database, wal, window) = try opened()
    try wal.write(frame(1), at: 0)
    #expect(content(window, at: 0, 4120) == frame(1))
    let outsider = open(outside: "a.db")
    #expect(!window.isOwned)
    #expect(content(window, at: 0, 1) == nil)
    let outsidersWAL = open(outside: "a.db-wal")
    #expect(
      unsafe frame(7).withUnsafeBytes { unsafe pwrite(outsidersWAL, $0.baseAddress, 4120, 0) }
        == 4120)
    Glibc.close(outsidersWAL)
    Glibc.close(outsider)
    #expect(try wal.read(4120, at: 0) == frame(7))
    try database.unlock(.none)
    for _ in 0..<200 where !window.isOwned {
      usleep(10_000)
      try database.lock(.shared)
      try database.unlock(.none)
    }
    #expect(window.isOwned)
    #expect(content(window, at: 0, 1) == nil, "nothing is known of before")
    try wal.write(frame(8), at: 4120)
    #expect(content(window, at: 4096, 24 + 4120) == frame(7)[..<24] + frame(8))
  }

  /// A client that keeps its WAL open when it has closed the database: the others' window must not
  /// outlive the lease.
  @Test func itEndsWithItsDatabase() throws {
    let (database, wal, window) = try opened()
    try wal.write(frame(1), at: 0)
    try database.close()
    let outsider = open(outside: "a.db")
    #expect(!window.isOwned)
    Glibc.close(outsider)
    // The next to open the database opens the same WAL, and its window begins anew.
    let other = try sidecar.connect()
    let again = try other.home.openDatabase("a.db")
    for _ in 0..<200 where try other.home.openWindowOfWAL("a.db-wal")?.isOwned != true {
      usleep(10_000)
      try again.lock(.shared)
      try again.unlock(.none)
    }
    #expect(window.isOwned)
    #expect(content(window, at: 0, 1) == nil)
    withExtendedLifetime(wal) {}
  }

  @Test func onlyTheWALOfADatabaseHasOne() throws {
    #expect(throws: CallError.refused(.misuse, .invalid)) {
      _ = try openWAL("a.db-wal", on: session.home).openWindow()
    }
    let (database, wal, window) = try opened()
    // Its name only begins as a database's does.
    let other = try openWAL("a.db-wal2", on: session.home)
    #expect(throws: CallError.refused(.misuse, .invalid)) { _ = try other.openWindow() }
    // Another name of the database has another WAL: it is read through the channel.
    #expect(unsafe link(sidecar.file("a.db").path, sidecar.file("b.db").path) == 0)
    let second = try session.home.openDatabase("b.db")
    let its = try openWAL("b.db-wal", on: session.home)
    #expect(throws: CallError.refused(.misuse, .invalid)) { _ = try its.openWindow() }
    #expect(window.isOwned)
    withExtendedLifetime((database, wal, second)) {}
  }

  /// The database was renamed, and a new one has its name and would use its WAL.
  @Test func aWALHasAWindowForOneDatabase() throws {
    let (database, wal, window) = try opened()
    #expect(unsafe rename(sidecar.file("a.db").path, sidecar.file("old.db").path) == 0)
    let other = try sidecar.connect()
    let successor = try other.home.openDatabase("a.db")
    try successor.lock(.shared)
    let its = try openWAL("a.db-wal", on: other.home)
    #expect(throws: CallError.refused(.misuse, .invalid)) { _ = try its.openWindow() }
    let outsider = open(outside: "old.db")
    #expect(!window.isOwned)
    Glibc.close(outsider)
    withExtendedLifetime((database, wal, successor)) {}
  }
}

extension Channel {
  fileprivate func openWindowOfWAL(_ name: String) throws -> WindowRegion? {
    try open(OpenRequest(path: Array(name.utf8), kind: .wal, options: [.readWrite, .create]))
      .openWindow()?.region
  }
}
