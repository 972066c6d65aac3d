// The read window through the typed calls: that it says what the file holds while the database is
// owned, and nothing from the moment on when it is not.

import Foundation
import Glibc
import SluiceChannel
import SluiceClient
import SluiceWire
import Testing

struct ReadWindowTests {
  private let sidecar: SidecarProcess
  private let session: Session

  init() throws {
    sidecar = try SidecarProcess()
    session = try sidecar.connect()
  }

  private func content(_ window: WindowRegion, at offset: Int64, _ count: Int) -> [UInt8]? {
    // A page comes into the window after the answer to its read, and before the next answer.
    _ = try? session.home.access(Array("/".utf8), .exists)
    var bytes = [UInt8](repeating: 0, count: count)
    let isThere = unsafe bytes.withUnsafeMutableBytes { unsafe window.copy(into: $0, at: offset) }
    return isThere ? bytes : nil
  }

  private func page(_ value: UInt8) -> [UInt8] { [UInt8](repeating: value, count: 4096) }

  /// A database of three pages, locked, and its window with all of them in it.
  private func filled() throws -> (file: RemoteFile, window: WindowRegion) {
    let file = try session.home.openDatabase("a.db")
    for number in 0..<3 { try file.write(page(UInt8(number)), at: Int64(number) * 4096) }
    try file.lock(.shared)
    let window = try #require(try file.openWindow()?.region)
    #expect(try file.read(3 * 4096, at: 0).count == 3 * 4096)
    return (file, window)
  }

  @Test func whatWasReadStandsInTheWindow() throws {
    let file = try session.home.openDatabase("a.db")
    try file.write(page(1) + page(2), at: 0)
    let window = try #require(try file.openWindow()?.region)
    #expect(!window.isOwned, "nobody has locked it yet")
    #expect(try file.read(16, at: 24).count == 16)
    #expect(content(window, at: 0, 16) == nil)
    try file.lock(.shared)
    #expect(window.isOwned)
    #expect(window.knownByteCount == Int64(8192))
    #expect(content(window, at: 24, 16) == nil, "nobody has read it yet")
    #expect(try file.read(16, at: 24) == [UInt8](repeating: 1, count: 16))
    #expect(content(window, at: 0, 4096) == page(1))
    #expect(content(window, at: 0, 4097) == nil)
    #expect(try file.read(4096, at: 4096) == page(2))
    #expect(content(window, at: 4000, 200) == Array(page(1)[..<96] + page(2)[..<104]))
    #expect(content(window, at: 8000, 193) == nil, "beyond the end")
    #expect(content(window, at: -1, 1) == nil)
    #expect(content(window, at: .max, 1) == nil)
  }

  @Test func writesAndCutsShowInTheWindow() throws {
    let (file, window) = try filled()
    try file.write([9, 9], at: 4095)
    #expect(content(window, at: 4094, 4) == [0, 9, 9, 1])
    // It grows: what was never read is not there, its size is.
    try file.write(page(7), at: 4 * 4096)
    #expect(window.knownByteCount == Int64(5 * 4096))
    #expect(content(window, at: 4 * 4096, 4096) == nil)
    try file.truncate(toByteCount: 4096 + 10)
    #expect(window.knownByteCount == Int64(4096 + 10))
    #expect(content(window, at: 4096, 10) == nil, "the rest of this page has changed")
    #expect(content(window, at: 0, 10) == page(0)[..<10] + [])
    // The hole reads as zeros, not as what was there once.
    try file.write([1], at: 3 * 4096 - 1)
    #expect(try file.read(4096, at: 4096)[10...] == page(0)[10...])
    #expect(content(window, at: 4096, 4096) == [9] + page(1)[1..<10] + page(0)[10...])
    try file.allocate(byteCount: 10 * 4096)
    #expect(window.knownByteCount == Int64(10 * 4096))
  }

  @Test func anotherSessionsWritesShowToo() throws {
    let (file, window) = try filled()
    let other = try sidecar.connect().home.openDatabase("a.db")
    try other.write(page(5), at: 4096)
    #expect(content(window, at: 4096, 4096) == page(5))
    let its = try #require(try other.openWindow()?.region)
    #expect(content(its, at: 8192, 4096) == page(2))
    withExtendedLifetime(file) {}
  }

  @Test func openByAnOutsiderEndsItBeforeTheOutsiderGetsIn() throws {
    let (file, window) = try filled()
    let outsider = unsafe Glibc.open(sidecar.file("a.db").path, O_RDWR)
    defer { Glibc.close(outsider) }
    #expect(!window.isOwned)
    #expect(window.knownByteCount == nil)
    #expect(window.knownAbsentFiles == [])
    #expect(content(window, at: 0, 1) == nil)
    var bytes = page(8)
    #expect(unsafe pwrite(outsider, &bytes, 4096, 0) == 4096)
    #expect(try file.read(4096, at: 0) == page(8))
    #expect(content(window, at: 0, 1) == nil)
  }

  /// The sidecar is in the midst of a slow sync when a write is posted and an outsider comes.
  @Test func outsiderSeesWhatWasPostedBeforeItCame() throws {
    let sidecar = try SidecarProcess(["--sync-delay", "100"])
    let session = try sidecar.connect()
    let syncing = try session.openChannel().openDatabase("b.db")
    let file = try session.openChannel().openDatabase("a.db")
    try file.lock(.shared)
    try file.write(page(1), at: 0)
    let window = try #require(try file.openWindow()?.region)
    #expect(window.isOwned)
    let isSynced = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      try? syncing.sync()
      isSynced.signal()
    }
    usleep(20_000)
    try unsafe page(2).withUnsafeBytes { try unsafe file.post($0, at: 0) }
    let outsider = unsafe Glibc.open(sidecar.file("a.db").path, O_RDONLY)
    defer { Glibc.close(outsider) }
    var byte: UInt8 = 0
    #expect(unsafe pread(outsider, &byte, 1, 0) == 1)
    #expect(byte == 2)
    isSynced.wait()
  }

  @Test func ownedAgainItKnowsNothingOfBefore() throws {
    let (file, window) = try filled()
    var bytes = page(8)
    let outsider = unsafe Glibc.open(sidecar.file("a.db").path, O_RDWR)
    #expect(unsafe pwrite(outsider, &bytes, 4096, 0) == 4096)
    Glibc.close(outsider)
    try file.unlock(.none)
    for _ in 0..<200 where !window.isOwned {
      usleep(10_000)
      try file.lock(.shared)
      try file.unlock(.none)
    }
    #expect(window.isOwned)
    #expect(content(window, at: 0, 4096) == nil)
    #expect(content(window, at: 4096, 4096) == nil)
    #expect(try file.read(4096, at: 0) == page(8))
    #expect(content(window, at: 0, 4096) == page(8))
  }

  @Test func absenceIsKnownFromTheFirstLookUntilTheFileIsCreated() throws {
    let (file, window) = try filled()
    let channel = session.home
    #expect(window.knownAbsentFiles == [])
    #expect(try !channel.access(bytes("a.db-journal"), .exists))
    #expect(window.knownAbsentFiles == .journal)
    #expect(try !channel.access(bytes("a.db-wal"), .exists))
    #expect(window.knownAbsentFiles == [.journal, .wal])
    let journal = try channel.open(
      OpenRequest(path: bytes("a.db-journal"), kind: .mainJournal, options: [.readWrite, .create]))
    #expect(window.knownAbsentFiles == .wal)
    // It is there, though empty: its writer need not open it again to make it a hot one.
    #expect(try !channel.access(bytes("a.db-journal"), .exists))
    #expect(window.knownAbsentFiles == .wal)
    try journal.close()
    try channel.delete(bytes("a.db-journal"), syncDirectory: false)
    #expect(window.knownAbsentFiles == [.journal, .wal])
    withExtendedLifetime(file) {}
  }

  /// The journal of a database that has two names stands under one of them.
  @Test func nothingIsKnownOfTheNeighboursOfAFileWithTwoNames() throws {
    let (file, window) = try filled()
    #expect(unsafe link(sidecar.file("a.db").path, sidecar.file("b.db").path) == 0)
    let second = try session.home.openDatabase("b.db")
    for name in ["a.db-journal", "b.db-journal", "a.db-wal", "b.db-wal"] {
      #expect(try !session.home.access(bytes(name), .exists))
    }
    #expect(window.knownAbsentFiles == [])
    withExtendedLifetime((file, second)) {}
  }

  private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
}
