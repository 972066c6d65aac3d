// The file of a document on disk: read whole, replaced at once.

internal import CSluice
internal import SluiceAutomerge
internal import SluiceCommand
internal import SluiceSystem

struct AutomergeFile {
  let path: String

  func document() throws(CommandError) -> Document {
    let bytes = try bytes()
    do throws(AutomergeError) {
      return try Document(loading: bytes)
    } catch {
      throw .failed("automerge: \(path): \(error)")
    }
  }

  func bytes() throws(CommandError) -> [UInt8] {
    do throws(Errno) {
      let file = try unsafe FileDescriptor.open(zeroTerminated(path), .readOnly)
      let byteCount = try file.status().byteCount
      guard byteCount < Int32.max else { throw .fileTooLarge }
      var bytes = [UInt8](repeating: 0, count: Int(byteCount))
      let result = unsafe bytes.withUnsafeMutableBytes { room -> Result<Int, Errno> in
        do throws(Errno) {
          return unsafe .success(try file.read(into: room, at: 0))
        } catch {
          return .failure(error)
        }
      }
      bytes.removeSubrange(try result.get()...)
      return bytes
    } catch {
      throw failure(error)
    }
  }

  /// Keeps the `damaged` bytes as `PATH.damaged`, and puts `bytes` in the place of the file. A crash
  /// leaves the one or the other, never a part.
  func replace(_ damaged: [UInt8], with bytes: [UInt8]) throws(CommandError) {
    let new = path + ".repaired-\(getpid())"
    let slash = path.lastIndex(of: "/")
    let directoryPath = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    do throws(Errno) {
      let directory = try unsafe FileDescriptor.open(
        zeroTerminated(directoryPath), [.directory, .readOnly])
      let status = try unsafe FileDescriptor.open(zeroTerminated(path), .readOnly).status()
      try make(path + ".damaged", damaged, permissions: status.mode & 0o777)
      do throws(Errno) {
        try make(new, bytes, permissions: status.mode & 0o777)
        try unsafe FileDescriptor.rename(zeroTerminated(new), to: zeroTerminated(path))
      } catch {
        _ = unsafe unlink(zeroTerminated(new))
        throw error
      }
      try directory.synchronize()
    } catch .exists {
      throw .failed("automerge: \(path).damaged: File exists: move an earlier repair's file away")
    } catch {
      throw failure(error)
    }
  }

  /// Makes a new file, and waits until it is on the disk.
  private func make(_ path: String, _ bytes: [UInt8], permissions: UInt32) throws(Errno) {
    let file = try unsafe FileDescriptor.open(
      zeroTerminated(path), [.readWrite, .create, .exclusive], permissions: permissions)
    try write(bytes, to: file)
    try file.synchronize()
  }

  private func write(_ bytes: [UInt8], to file: borrowing FileDescriptor) throws(Errno) {
    // `Array.withUnsafeBytes` does not say what it throws.
    let result = unsafe bytes.withUnsafeBytes { bytes -> Errno? in
      do throws(Errno) { try unsafe file.write(bytes, at: 0) } catch { return error }
      return nil
    }
    if let result { throw result }
  }

  private func failure(_ error: Errno) -> CommandError {
    .failed("automerge: \(path): \(unsafe String(cString: error.text))")
  }
}
