// The server's key on disk: the 32 bytes of an Ed25519 seed in a file that only its owner can read.
//
// The file is whole under its name or not there: it is written and synchronised under another name, and
// then gets its own, unless another process was first. A process that is killed meanwhile may leave the
// other name, and the seed under it. Each start removes such names, but only once the key is there: then
// a process that loses its file that way finds the key. A file that others can read or that has another
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
    var seed = try seed(in: root)
    if seed == nil {
      do throws(Errno) { try make(in: root) } catch { throw .system(error) }
      seed = try self.seed(in: root)
    }
    guard let seed else { throw .system(.noEntry) }
    do throws(Errno) {
      try removeLeftovers(in: root)
      // Whoever gave the file its name may have been killed before the name was durable.
      try root.synchronize()
    } catch { throw .system(error) }
    return try key(of: seed)
  }

  // MARK: The other name

  private static let leftoverEnd = Array(".new".utf8)
  private static let digitCount = 16

  private static func temporaryName(_ number: UInt64) -> String {
    let digits = String(number, radix: 16)
    let zeros = String(repeating: "0", count: digitCount - digits.utf8.count)
    return "\(name).\(zeros)\(digits).new"
  }

  private static func isTemporaryName(_ other: [UInt8]) -> Bool {
    let start = Array("\(name).".utf8)
    guard other.count == start.count + digitCount + leftoverEnd.count, other.starts(with: start),
      other.suffix(leftoverEnd.count) == leftoverEnd[...]
    else { return false }
    return other[start.count..<start.count + digitCount].allSatisfy {
      (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
        || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
    }
  }

  private static func removeLeftovers(in root: borrowing FileDescriptor) throws(Errno) {
    for other in try root.namesInDirectory() where isTemporaryName(other) {
      try remove((other + [0]).map { CChar(bitPattern: $0) }, in: root)
    }
  }

  /// Removes the name, unless another process has.
  private static func remove(
    _ name: [CChar], in root: borrowing FileDescriptor
  ) throws(Errno) {
    do throws(Errno) { try unsafe root.unlink(name) } catch {
      if error != .noEntry { throw error }
    }
  }

  // MARK: Reading and making

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
    let temporaryName = cString(temporaryName(generator.next()))
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
        // Another process was first, and has perhaps removed this one's file.
        if error != .exists && error != .noEntry { throw error }
      }
    } catch {
      try? remove(temporaryName, in: root)
      throw error
    }
    try remove(temporaryName, in: root)
  }
}
