// The proof that a file which was opened again is the one that was open before.

import Foundation
import SluiceClient
import SluiceWire
import Testing

struct FileOriginTests {
  private let sidecar: SidecarProcess
  private let home: Channel

  init() throws {
    sidecar = try SidecarProcess()
    home = try sidecar.connect().home
  }

  @Test func fileIsTheSameUnderWhateverName() throws {
    let first = try home.openDatabase("a.db")
    try first.write([1, 2, 3], at: 0)
    try first.close()
    let again = try home.openDatabase("a.db")
    #expect(again.isCertainlySame(as: first))
    try again.close()
    try FileManager.default.linkItem(at: sidecar.file("a.db"), to: sidecar.file("link.db"))
    #expect(try home.openDatabase("link.db").isCertainlySame(as: first))
    try FileManager.default.moveItem(at: sidecar.file("a.db"), to: sidecar.file("b.db"))
    #expect(try home.openDatabase("b.db").isCertainlySame(as: first))
    #expect(try !home.openDatabase("a.db").isCertainlySame(as: first))
  }

  /// Most of them have its device and inode number.
  @Test func fileThatFollowsARemovedOneIsAnother() throws {
    var former = try home.openDatabase("a.db")
    try former.close()
    for _ in 0..<300 {
      try home.delete(Array("a.db".utf8), syncDirectory: false)
      let next = try home.openDatabase("a.db")
      try #require(!next.isCertainlySame(as: former))
      try next.close()
      former = next
    }
  }

  @Test func ofOtherFilesNothingIsProven() throws {
    for (path, kind) in [
      ("a.db-journal", FileKind.mainJournal), ("a.db-wal", .wal), (nil, .mainDatabase),
    ] as [(String?, FileKind)] {
      let file = try home.open(
        OpenRequest(
          path: path.map { Array($0.utf8) }, kind: kind, options: [.readWrite, .create]))
      #expect(!file.isCertainlySame(as: file))
      #expect(!file.isLocal)
    }
  }
}
