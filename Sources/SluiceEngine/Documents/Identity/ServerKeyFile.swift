// The server's key on disk: the 32 bytes of an Ed25519 seed in a file that only its owner can read.
//
// The file is whole under its name or not there: it is written and synchronised under another name, and
// then gets its own, unless another process was first. A file that others can read or that has another
// size is refused, never repaired: a key that others know, or half of one, must not sign.

internal import SluiceServer
package import SluiceSystem

/// Why there is no key.
package enum ServerKeyError: Error, Equatable, CustomStringConvertible {
  /// Reading or making the file failed.
  case system(Errno)
  /// The file is no regular file, or belongs to another user.
  case notOwn
  /// Others than the owner may do something with the file.
  case permissions(UInt32)
  /// The file has not the size of a seed.
  case size(Int64)
  /// There is no memory for the key.
  case memory

  package var description: String {
    switch self {
    case .system(let errno): errno.message
    case .notOwn: "not a regular file of this user"
    case .permissions(let mode): "permissions \(String(mode, radix: 8)): want 600"
    case .size(let count): "\(count) bytes: want \(SigningKey.seedByteCount)"
    case .memory: "no memory"
    }
  }
}

package enum ServerKeyFile {
  /// Its name in the root.
  package static let name = "server.key"

  /// The key in the directory `root`, made if there is none. Blocks on the disk. To be called before
  /// the process is confined.
  package static func key(in root: borrowing FileDescriptor) throws(ServerKeyError) -> SigningKey {
    if let seed = try seed(in: root) { return try key(of: seed) }
    do throws(Errno) { try make(in: root) } catch { throw .system(error) }
    guard let seed = try seed(in: root) else { throw .system(.noEntry) }
    return try key(of: seed)
  }

  private static func key(of seed: [UInt8]) throws(ServerKeyError) -> SigningKey {
    guard let key = SigningKey(seed: seed) else { throw .memory }
    return key
  }

  /// Nil if there is no file.
  private static func seed(in root: borrowing FileDescriptor) throws(ServerKeyError) -> [UInt8]? {
    guard let file = try opened(in: root) else { return nil }
    let status: FileStatus
    do throws(Errno) { status = try file.status() } catch { throw .system(error) }
    guard status.isRegular, status.owner == processIdentity().user else { throw .notOwn }
    guard status.permissions & 0o077 == 0 else { throw .permissions(status.permissions) }
    guard status.byteCount == SigningKey.seedByteCount else { throw .size(status.byteCount) }
    var seed = [UInt8](repeating: 0, count: SigningKey.seedByteCount)
    let result = unsafe seed.withUnsafeMutableBytes { bytes -> Result<Int, Errno> in
      do throws(Errno) {
        return .success(try unsafe file.read(into: bytes, at: 0))
      } catch { return .failure(error) }
    }
    switch result {
    case .success(seed.count): return seed
    case .success(let count): throw .size(Int64(count))
    case .failure(let error): throw .system(error)
    }
  }

  /// Nil if there is no file.
  private static func opened(
    in root: borrowing FileDescriptor
  ) throws(ServerKeyError) -> FileDescriptor? {
    do throws(Errno) {
      return try unsafe FileDescriptor.open(
        cString(name), in: root.rawValue, [.readOnly, .noFollow, .nonBlocking])
    } catch {
      if error == .noEntry { return nil }
      throw error == .tooManyLinks ? .notOwn : .system(error)
    }
  }

  /// Makes the file with a new seed, unless another process makes it at the same time.
  private static func make(in root: borrowing FileDescriptor) throws(Errno) {
    var generator = SystemRandomNumberGenerator()
    let seed = (0..<SigningKey.seedByteCount / 8).map { _ in generator.next() }
    let temporaryName = cString("\(name).\(String(generator.next(), radix: 16))")
    let file = try unsafe FileDescriptor.open(
      temporaryName, in: root.rawValue, [.readWrite, .create, .exclusive, .noFollow],
      permissions: 0o600)
    do throws(Errno) {
      // The umask may have taken the owner's rights.
      try file.setPermissions(0o600)
      let failure = unsafe seed.withUnsafeBytes { bytes -> Errno? in
        do throws(Errno) { try unsafe file.write(bytes, at: 0) } catch { return error }
        return nil
      }
      if let failure { throw failure }
      try file.synchronize()
      do throws(Errno) {
        try unsafe root.link(temporaryName, to: cString(name))
      } catch {
        if error != .exists { throw error }
      }
    } catch {
      try? unsafe root.unlink(temporaryName)
      throw error
    }
    try unsafe root.unlink(temporaryName)
    try root.synchronize()
  }
}
