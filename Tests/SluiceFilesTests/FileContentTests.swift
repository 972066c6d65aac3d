// Reading, writing, truncating and measuring through the typed calls.

import Foundation
import SluiceClient
import SluiceWire
import Testing

struct FileContentTests {
  private let sidecar: SidecarProcess
  private let session: Session

  init() throws {
    sidecar = try SidecarProcess()
    session = try sidecar.connect()
  }

  @Test func whatIsWrittenIsRead() throws {
    let file = try session.home.openDatabase("a.db")
    #expect(file.isWritable)
    try file.write(Array("hello, world".utf8), at: 0)
    #expect(try file.read(5, at: 7) == Array("world".utf8))
    #expect(try file.byteCount() == 12)
    try file.sync()
    #expect(try Data(contentsOf: sidecar.file("a.db")) == Data("hello, world".utf8))
  }

  @Test func readsBeyondTheEndAreShort() throws {
    let file = try session.home.openDatabase("a.db")
    #expect(try file.read(10, at: 0) == [])
    try file.write([1, 2, 3], at: 0)
    #expect(try file.read(10, at: 0) == [1, 2, 3])
    #expect(try file.read(10, at: 2) == [3])
    #expect(try file.read(10, at: 3) == [])
    #expect(try file.read(10, at: 1 << 40) == [])
    #expect(try file.read(0, at: 0) == [])
    #expect(try file.read(0, at: 100) == [])
  }

  @Test func writeBeyondTheEndLeavesZerosBetween() throws {
    let file = try session.home.openDatabase("a.db")
    try file.write([7], at: 5)
    try file.write([], at: 100)
    #expect(try file.read(10, at: 0) == [0, 0, 0, 0, 0, 7])
    #expect(try file.byteCount() == 6)
    try file.write([8], at: 1 << 33)
    #expect(try file.byteCount() == 1 << 33 + 1)
  }

  @Test func truncationShortensAndLengthens() throws {
    let file = try session.home.openDatabase("a.db")
    try file.write([1, 2, 3, 4], at: 0)
    try file.truncate(toByteCount: 2)
    #expect(try file.read(10, at: 0) == [1, 2])
    try file.truncate(toByteCount: 4)
    #expect(try file.read(10, at: 0) == [1, 2, 0, 0])
    try file.truncate(toByteCount: 0)
    #expect(try file.byteCount() == 0)
  }

  @Test(arguments: [65535, 65536, 65537, 131_072, 300_001])
  func transfersOfAnySizeArriveWhole(byteCount: Int) throws {
    let file = try session.home.openDatabase("a.db")
    let bytes = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
    try file.write(bytes, at: 3)
    #expect(try file.read(byteCount, at: 3) == bytes)
    #expect(try file.read(byteCount + 70_000, at: 3) == bytes)
    #expect(try file.byteCount() == Int64(byteCount) + 3)
  }

  @Test func offsetsThatNoFileHasAreRefused() throws {
    let file = try session.home.openDatabase("a.db")
    #expect(status { try file.write([1], at: .max - 5) } == .systemError)
    #expect(status { try file.truncate(toByteCount: .max) } == .systemError)
    #expect(try file.byteCount() == 0)
  }

  @Test func fileOpenedForReadingRefusesChange() throws {
    try Data([1, 2, 3]).write(to: sidecar.file("a.db"))
    let file = try session.home.open(
      OpenRequest(path: Array("a.db".utf8), kind: .mainDatabase, options: []))
    #expect(!file.isWritable)
    #expect(try file.read(3, at: 0) == [1, 2, 3])
    #expect(status { try file.write([9], at: 0) } == .readOnly)
    #expect(status { try file.truncate(toByteCount: 0) } == .readOnly)
    #expect(try Data(contentsOf: sidecar.file("a.db")) == Data([1, 2, 3]))
  }

  @Test func openSaysWhatIsNotThere() throws {
    let request = OpenRequest(
      path: Array("none.db".utf8), kind: .mainDatabase, options: [.readWrite])
    #expect(status { _ = try session.home.open(request) } == .notFound)
    let exclusive = OpenRequest(
      path: Array("a.db".utf8), kind: .mainJournal, options: [.readWrite, .create, .exclusive])
    let file = try session.home.open(exclusive)
    #expect(status { _ = try session.home.open(exclusive) } == .systemError)
    try file.close()
  }

  @Test func temporaryFilesHaveNoNameAndSeeNoOther() throws {
    let request = OpenRequest(
      path: nil, kind: .temporary, options: [.readWrite, .create, .exclusive, .deleteOnClose])
    let files = try (0..<10).map { _ in try session.home.open(request) }
    for index in files.indices { try files[index].write([UInt8(index)], at: 0) }
    for index in files.indices { #expect(try files[index].read(5, at: 0) == [UInt8(index)]) }
    #expect(try FileManager.default.contentsOfDirectory(atPath: sidecar.root.path) == [])
  }

  @Test func accessTellsExistenceReadingAndWriting() throws {
    let home = session.home
    let path = Array("a.db".utf8)
    for mode in AccessMode.allCases { #expect(try !home.access(path, mode)) }
    let file = try home.openDatabase("a.db")
    // SQLite takes an empty journal for none.
    #expect(try !home.access(path, .exists))
    #expect(try home.access(path, .readWrite))
    try file.write([1], at: 0)
    for mode in AccessMode.allCases { #expect(try home.access(path, mode)) }
    try home.delete(path, syncDirectory: true)
    for mode in AccessMode.allCases { #expect(try !home.access(path, mode)) }
    #expect(status { try home.delete(path, syncDirectory: false) } == .notFound)
    // The open file is there until it is closed.
    #expect(try file.read(1, at: 0) == [1])
  }

  @Test func journalResemblesItsDatabase() throws {
    let database = try session.home.openDatabase("/a.db")
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o660], ofItemAtPath: sidecar.file("a.db").path)
    let journal = try session.home.open(
      OpenRequest(
        path: Array("/a.db-journal".utf8), kind: .mainJournal, options: [.readWrite, .create]))
    try journal.write([1], at: 0)
    try journal.sync()
    let attributes = try FileManager.default.attributesOfItem(
      atPath: sidecar.file("a.db-journal").path)
    withExtendedLifetime(database) {
      #expect(attributes[.posixPermissions] as? Int == 0o660)
    }
  }
}
