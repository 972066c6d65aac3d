// Saves the snapshots of a memory engine in a file: beside its target, made durable, renamed.
//
// Used in the engine's thread, except for `takeFailure` and `load`.

internal import CSluice
internal import SluiceServer
internal import SluiceSQL
internal import SluiceSystem

final class SnapshotSaver: EngineChores, @unchecked Sendable {
  private let target: String
  private var timer = SnapshotTimer()
  private let failure = FutexLock<SQLError?>(nil)

  init(_ target: String) { self.target = target }

  /// The snapshot that is there; nil if there is none.
  func load() throws(SQLError) -> [UInt8]? {
    do throws(Errno) {
      let file = try unsafe FileDescriptor.open(cString(target), [.readOnly])
      var bytes = [UInt8](repeating: 0, count: Int(try file.status().byteCount))
      var errno: Errno?
      let count = unsafe bytes.withUnsafeMutableBytes { room -> Int in
        do throws(Errno) { return try unsafe file.read(into: room, at: 0) } catch {
          errno = error
          return 0
        }
      }
      if let errno { throw errno }
      guard count == bytes.count else { throw .inputOutput }
      return bytes
    } catch .noEntry {
      return nil
    } catch {
      throw .notSaved(target, "cannot be read: \(error.message)")
    }
  }

  // MARK: Chores

  func callEnded(hasWritten: Bool, _ connection: SQLConnection) {
    timer.callEnded(
      hasWritten: hasWritten, isInTransaction: !connection.isAutocommit,
      at: Clock.monotonicNanoseconds())
  }

  var dueAt: Int64 { timer.dueAt }

  func due(_ connection: SQLConnection) { save(connection) }

  func end(_ connection: SQLConnection) { if timer.isUnsaved { save(connection) } }

  func takeFailure() -> SQLError? { failure.withLock { $0.take() } }

  // MARK: Saving

  private func save(_ connection: SQLConnection) {
    timer.noteSaved()
    var image: [UInt8] = []
    do throws(SQLFailure) {
      try unsafe connection.export { unsafe image.append(contentsOf: $0) }
    } catch {
      return note(.notSaved(target, String(decoding: error.message, as: UTF8.self)))
    }
    do throws(Errno) { try replace(with: image) } catch {
      note(.notSaved(target, error.message))
    }
  }

  private func note(_ error: SQLError) { failure.withLock { $0 = error } }

  private func replace(with image: [UInt8]) throws(Errno) {
    let path = cString(target)
    let slash = target.lastIndex(of: "/")
    let directoryPath = slash.map { $0 == target.startIndex ? "/" : String(target[..<$0]) } ?? "."
    let directory = try unsafe FileDescriptor.open(
      cString(directoryPath), [.directory, .readOnly])
    let beside = cString("\(target)-snapshot-\(getpid())")
    do throws(Errno) {
      let file = try unsafe FileDescriptor.open(beside, [.readWrite, .create], permissions: 0o600)
      try file.truncate(toByteCount: 0)
      try write(image, to: file)
      try file.synchronize()
      try unsafe FileDescriptor.rename(beside, to: path)
      try directory.synchronize()
    } catch {
      _ = unsafe unlink(beside)
      throw error
    }
  }

  private func write(_ image: [UInt8], to file: borrowing FileDescriptor) throws(Errno) {
    // `Array.withUnsafeBytes` does not say what it throws.
    let result = unsafe image.withUnsafeBytes { bytes -> Errno? in
      do throws(Errno) { try unsafe file.write(bytes, at: 0) } catch { return error }
      return nil
    }
    if let result { throw result }
  }
}
