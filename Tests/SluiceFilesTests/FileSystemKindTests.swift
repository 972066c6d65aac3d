// On which file systems a lease counts, and what tells a file from its successors there.

import Foundation
import SluiceFiles
import TestSupport
import Testing

struct FileSystemKindTests {
  @Test(
    arguments: [
      (0xef53, "ext4"), (0x5846_5342, "xfs"), (0x9123_683e, "btrfs"), (0xf2f5_2010, "f2fs"),
      (0xca45_1a4e, "bcachefs"), (0x2fc1_2fc1, "zfs"), (0x0102_1994, "tmpfs"),
      (0x8584_58f6, "ramfs"),
      (0x794c_7630, "overlayfs"), (0x4d44, "vfat"),
    ] as [(UInt32, String)])
  func leaseCountsWhereOneKernelSeesAll(magic: UInt32, name: String) {
    let kind = FileSystemKind(magic: magic)
    #expect(kind.isLocal && kind.name == name)
    #expect(kind.consequence.contains("WAL mode are used"))
  }

  @Test(
    arguments: [
      (0x6573_5546, "fuse"), (0x6969, "nfs"), (0xff53_4d42, "cifs"), (0xfe53_4d42, "cifs"),
      (0x00c3_6400, "ceph"), (0x0102_1997, "9p"), (0x0116_1970, "gfs2"), (0x7461_636f, "ocfs2"),
      (0x0bd0_0bd0, "lustre"), (0x5346_414f, "afs"), (0x4750_4653, "gpfs"), (0x786f_4256, "vboxsf"),
      (0x7c7c_6673, "prl_fs"), (0xf15f, "ecryptfs"),
    ] as [(UInt32, String)])
  func leaseProvesNothingWhereOthersMayChangeTheFile(magic: UInt32, name: String) {
    let kind = FileSystemKind(magic: magic)
    #expect(!kind.isLocal && kind.name == name)
    #expect(kind.consequence.contains("no read window, no WAL mode"))
  }

  /// Nor on any that nobody has thought of.
  @Test func leaseProvesNothingOnAnUnknownFileSystem() {
    var random = SeededRandom(for: "leaseProvesNothingOnAnUnknownFileSystem")
    var localCount = 0
    for magic in (0..<10_000).map({ _ in UInt32.random(in: 0 ... .max, using: &random) }) {
      if FileSystemKind(magic: magic).isLocal { localCount += 1 }
    }
    #expect(localCount == 0)
    #expect(FileSystemKind(magic: 0x1234_5678).name == "file system 0x12345678")
  }

  /// Protocol/FILESYSTEMS.md names the same ones.
  @Test(arguments: [("local", true), ("shared", false)])
  func pageNamesTheWholeList(row: String, isLocal: Bool) throws {
    let page = try String(contentsOf: repositoryFile("Protocol/FILESYSTEMS.md"), encoding: .utf8)
    let line = try #require(page.split(separator: "\n").first { $0.hasPrefix("| \(row) | ") })
    let cell = line.split(separator: "|")[1].replacing(/\([^)]*\)/, with: "")
    var names = Set(cell.split { !$0.isLetter && !$0.isNumber && $0 != "_" }.map(String.init))
    names.subtract(["ext2", "ext3", "every", "other"])
    #expect(names == Set(FileSystemKind.all.filter { $0.isLocal == isLocal }.map(\.name)))
  }
}
