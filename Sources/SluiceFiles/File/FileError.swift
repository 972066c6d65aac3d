// What a file operation of the proxy fails with, and the status that the client is told: the step
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
  /// Somebody else holds a lock, or has the file open that was to be deleted.
  case busy
  /// The lock is free, but others stand in line for it, or one of them has been called.
  case busyInLine
  /// The same as `busy` of EXCLUSIVE, with PENDING held now.
  case busyPending
  /// In the way is another sidecar, whose client may have died just now: it gives back his locks in
  /// a moment. The request is tried again for a little while, then it is `busy` or `busyPending`.
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
  /// The WAL index can only be read, and nobody is there who has set it up.
  case walIndexNotSetUp
  /// The lock stands with somebody who was granted it a moment ago and may be about to take it again:
  /// the request is tried again soon.
  case standsYet
  /// EXCLUSIVE was refused because of readers whose lock stands, and PENDING is held: a lock that stands
  /// is nearly always found in use by who would be a moment too late without it. Tried again for a little
  /// while, then it is `busyPending`.
  case readersYet
  /// Not now: another process has been asked to give back its lease. The request stays in its slot
  /// and is tried again.
  case tryLater

  /// Whether a lock was refused because somebody has it, or has to have it first.
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
    case .busy, .busyInLine, .busyPerhaps, .standsInLine, .standsYet: (.busy, .again)
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
