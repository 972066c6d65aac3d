// An open directory.

internal import SluiceSystem

/// The databases in it keep it, so that a journal lies beside its database even when the directory
/// is renamed.
final class Directory: Sendable {
  let descriptor: FileDescriptor
  /// The served directory beneath which it was found.
  let root: Root
  /// False where the directory may be searched but not read: then it cannot be synced either.
  let isReadable: Bool

  init(_ descriptor: consuming FileDescriptor, in root: Root, isReadable: Bool) {
    self.descriptor = descriptor
    self.root = root
    self.isReadable = isReadable
  }

  /// Makes the directory's entries durable, where it can be opened for that (as SQLite's own VFS).
  func synchronize() throws(FileError) {
    guard isReadable else { return }
    do throws(Errno) { try synchronizeAnew() } catch { throw .directorySync(error) }
  }

  /// A directory can be synced by its description only: where that has gone bad, the next one does
  /// it.
  private func synchronizeAnew() throws(Errno) {
    do throws(Errno) {
      try descriptor.synchronize()
    } catch {
      guard error.mayEndDescriptions, !descriptor.fileSystemKind().isLocal else { throw error }
      try renewDescription(of: descriptor, [.readOnly, .directory])
      // A disk that has failed to write may forget that by the second time.
      if error == .inputOutput { throw error }
      try descriptor.synchronize()
    }
  }
}
