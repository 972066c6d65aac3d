// The server's key file: made once, the same ever after, and refused where it is not private.

import Foundation
import SluiceServer
import SluiceSystem
import Testing

@testable import SluiceEngine

@Suite final class ServerKeyFileTests {
  private let folder: URL
  private var file: String { folder.appending(path: ServerKeyFile.name).path }

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "key-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  private func key() throws(ServerKeyError) -> SigningKey { try Self.key(in: folder.path) }

  private static func key(in folder: String) throws(ServerKeyError) -> SigningKey {
    let root: FileDescriptor
    do throws(Errno) {
      root = try unsafe FileDescriptor.open(cString(folder), [.directory, .readOnly])
    } catch { throw .system(error) }
    return try ServerKeyFile.key(in: root)
  }

  @Test func theKeyIsMadeOnceAndStays() throws {
    let first = try key().publicKey
    #expect(try key().publicKey == first)
    let attributes = try FileManager.default.attributesOfItem(atPath: file)
    #expect(attributes[.posixPermissions] as? Int == 0o600)
    #expect(attributes[.size] as? Int == 32)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["server.key"])
    try FileManager.default.removeItem(atPath: file)
    #expect(try key().publicKey != first)
  }

  @Test func processesThatStartTogetherHaveOneKey() async throws {
    let path = folder.path
    let keys = await withTaskGroup(of: PublicKey?.self) { group in
      for _ in 0..<16 { group.addTask { try? Self.key(in: path).publicKey } }
      return await group.reduce(into: [PublicKey?]()) { $0.append($1) }
    }
    #expect(Set(keys).count == 1 && keys[0] != nil)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["server.key"])
  }

  /// A start that was killed leaves the seed under the other name. Other files are not ours.
  @Test func whatAKilledStartLeavesIsRemoved() throws {
    let own = ["server.key.0123456789abcdef.new", "server.key.ffffffffffffffff.new"]
    let others = [
      "server.key.1", "server.key.bad", "server.key.new", "server.key.0123456789abcdeg.new",
      "server.key.0123456789abcde.new", "server.key.0123456789ABCDEF.new",
    ]
    for isFirst in [true, false] {
      for name in own + others {
        #expect(
          FileManager.default.createFile(
            atPath: folder.appending(path: name).path, contents: Data(count: 32)))
      }
      _ = try key()
      #expect(
        try Set(FileManager.default.contentsOfDirectory(atPath: folder.path))
          == Set(others + ["server.key"]), "the first start: \(isFirst)")
    }
  }

  @Test(arguments: [0o640, 0o604, 0o660, 0o644, 0o610, 0o601])
  func aKeyThatOthersCanUseIsRefused(mode: Int) throws {
    _ = try key()
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
    #expect(throws: ServerKeyError.permissions(UInt32(mode))) { try self.key() }
  }

  @Test(arguments: [0, 31, 33, 64])
  func aKeyOfAnotherSizeIsRefused(byteCount: Int) throws {
    try write(Data(count: byteCount))
    #expect(throws: ServerKeyError.size(Int64(byteCount))) { try self.key() }
  }

  @Test func whatIsNoFileIsRefused() throws {
    try FileManager.default.createSymbolicLink(
      atPath: file, withDestinationPath: "/dev/zero")
    #expect(throws: ServerKeyError.notOwn) { try self.key() }
    try FileManager.default.removeItem(atPath: file)
    try FileManager.default.createDirectory(atPath: file, withIntermediateDirectories: false)
    #expect(throws: ServerKeyError.notOwn) { try self.key() }
  }

  @Test func theFileIsTheSeed() throws {
    try write(Data(repeating: 1, count: 32))
    #expect(
      try key().publicKey.did == "did:key:z6Mkon3Necd6NkkyfoGoHxid2znGc59LU3K7mubaRcFbLfLX")
  }

  private func write(_ data: Data) throws {
    #expect(
      FileManager.default.createFile(
        atPath: file, contents: data, attributes: [.posixPermissions: 0o600]))
  }
}
