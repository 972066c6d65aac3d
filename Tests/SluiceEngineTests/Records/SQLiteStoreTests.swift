// What SQLite's store needs of the place of its files.

import CEngine
import Foundation
import Testing

@testable import SluiceEngine

struct SQLiteStoreTests {
  /// SQLite's own VFS, which opens no file without a name: as the file sidecar's.
  private static let nameless: String = {
    let name = "sluice-test-no-temporary-files"
    let vfs = UnsafeMutablePointer<sqlite3_vfs>.allocate(capacity: 1)
    unsafe vfs.initialize(to: sqlite3_vfs_find(nil)!.pointee)
    unsafe vfs.pointee.zName = UnsafePointer(strdup(name))
    unsafe vfs.pointee.pNext = nil
    unsafe vfs.pointee.xOpen = { (_, name, file, flags, out) in
      let base = unsafe sqlite3_vfs_find(nil)!
      guard unsafe name != nil else { return SQLITE_CANTOPEN }
      return unsafe base.pointee.xOpen(base, name, file, flags, out)
    }
    unsafe sqlite3_vfs_register(vfs, 0)
    return name
  }()

  /// A long transaction has savepoints, whose journals are temporary files where they are large.
  @Test func aLargePartOfATransactionNeedsNoTemporaryFile() throws {
    let path = FileManager.default.temporaryDirectory.appending(
      path: "sluice-savepoint-\(UUID().uuidString.prefix(8))"
    ).path
    defer {
      for end in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + end) }
    }
    let store = try SQLiteStore(
      path: Array(path.utf8), at: .host(through: Self.nameless), mode: .create,
      busyMilliseconds: 100)
    let value = [UInt8](repeating: 7, count: 1000)
    func keys() -> [[UInt8]] { (0..<2000).map { [UInt8($0 >> 8), UInt8($0 & 255)] } }
    try store.atomically { () throws(DatabaseError) in
      for key in keys() { try store.put(.transactions, key, value) }
    }
    try store.beginLong()
    try store.atomically { () throws(DatabaseError) in
      for key in keys() { try store.put(.transactions, key, [1]) }
    }
    try store.endLong(commits: true)
    #expect(try store.get(.transactions, [0, 1]) == [1])
  }
}
