// What a file operation of the sidecar fails with, and the status that the client is told: the step
// FileError → Status of the error ladder.

internal import SluiceSystem
internal import SluiceWire

enum FileError: Error, Equatable {
  /// The system refused.
  case system(Errno)
  /// The path leads out of the root.
  case outsideRoot
  /// The path leads through a link of /proc.
  case magicLink
  /// Neither a regular file nor absent.
  case notRegular
  /// Open for reading only.
  case readOnly
  /// A journal's directory cannot be written.
  case readOnlyDirectory
  /// Another holder has the lock, or another process has open the file that was to be deleted.
  case busy
  /// The lock is free, but others stand in line for it, or one of them has been called.
  case busyInLine
  /// EXCLUSIVE was refused, and the holder now has PENDING.
  case busyPending
  /// Another sidecar holds the lock. Its client may have just died: then the lock is free in a
  /// moment. The request is tried again for a little while, then it is `busy` or `busyPending`.
  case busyPerhaps
  case busyPendingPerhaps
  /// The request stands in line for a lock and stays in its slot.
  case standsInLine
  /// The locks were lost while the sidecar stood still.
  case locksLost
  case tooManyFiles
  case badFile
  case misuse
  case directorySync(Errno)
  /// The WAL index can only be read, and nobody who uses it has set it up.
  case walIndexNotSetUp
  /// The lock stands with a holder that was granted it a moment ago and may be about to take it
  /// again: the request is tried again soon.
  case standsYet
  /// EXCLUSIVE was refused because of readers that use locks that stand, and the writer holds
  /// PENDING. Without its standing lock such a reader would nearly always have come a moment too
  /// late: the request is tried again for a little while, then it is `busyPending`.
  case readersYet
  /// The request waits for a sync and stays in its slot.
  case notDurableYet
  /// Not now: another process has been asked to give back its lease. The request stays in its slot
  /// and is tried again.
  case tryLater

  /// Whether a lock was refused because another holds it, or has to have it first.
  var isRefusal: Bool { self == .busy || self == .busyInLine }

  var status: (status: Status, errno: Errno) {
    switch self {
    case .system(.noEntry): (.notFound, .noEntry)
    case .system(let errno): (.systemError, errno)
    case .outsideRoot: (.outsideRoot, .crossesDevice)
    case .magicLink: (.magicLink, .tooManyLinks)
    case .notRegular: (.notRegular, .invalid)
    case .readOnly: (.readOnly, .readOnlyFileSystem)
    case .readOnlyDirectory: (.readOnlyDirectory, .accessDenied)
    case .busy, .busyInLine, .busyPerhaps, .standsInLine, .standsYet, .notDurableYet:
      (.busy, .again)
    case .busyPending, .busyPendingPerhaps, .readersYet: (.busyPending, .again)
    case .locksLost: (.locksLost, .stale)
    case .tooManyFiles: (.limitReached, .tooManyOpen)
    case .badFile: (.badFile, .badDescriptor)
    case .misuse: (.misuse, .invalid)
    case .directorySync(let errno): (.directorySyncFailed, errno)
    case .walIndexNotSetUp: (.walIndexNotSetUp, .readOnlyFileSystem)
    case .tryLater: (.systemError, .again)
    }
  }
}

/// Runs system calls and turns what they throw into a `FileError`.
@inline(__always)
func system<R: ~Copyable>(_ body: () throws(Errno) -> R) throws(FileError) -> R {
  do throws(Errno) { return try body() } catch { throw .system(error) }
}
