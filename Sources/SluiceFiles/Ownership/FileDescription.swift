// A file's open description, which all clients of the sidecar share, and what becomes of it when it
// goes bad.
//
// On a file system that is not this kernel's own, a server keeps the locks. It forgets them when
// the connection to it breaks. A file system that keeps POSIX's promise then fails every call on
// the old description, for ever (EBADFD). Others fail once (ENOTCONN, EIO) and then go on as if
// nothing had happened. So
//
//   - the first such failure ends the trust in every lock that stands on the description. Each
//     holder is told `locksLost` at its next call, and nothing is written or deleted because of such
//     a lock;
//   - when no lock is held any more, the next client that wants one gets a new description. Clients
//     that held none go on without an error;
//   - a journal, whose deletion is a commit, is deleted only after the database's description has
//     shown that it is as it was.
//
// Threads: any. A thread that meets a failure sets `doubt`. Only `renew` clears it, under the
// file's `state`.

internal import SluiceSystem
internal import Synchronization

struct FileDescription: ~Copyable, Sendable {
  let descriptor: FileDescriptor
  /// Whether one kernel sees every open of the file, so that a lease counts.
  let isLocal: Bool
  /// How often locks were lost. A handle that locked before the last loss has none left.
  private let losses = Atomic<UInt32>(0)
  /// Whether the description has perhaps gone bad.
  private let doubt = Atomic<Bool>(false)

  init(_ descriptor: consuming FileDescriptor) {
    isLocal = descriptor.fileSystemKind().isLocal
    self.descriptor = descriptor
  }

  var isDoubtful: Bool { doubt.load(ordering: .acquiring) }

  @inline(__always)
  var lossCount: UInt32 { losses.load(ordering: .acquiring) }

  /// The locks on the file were lost, though the description is well.
  func noteLoss() { losses.wrappingAdd(1, ordering: .releasing) }

  /// Runs system calls on the description, and notes a failure that may mean the end of it.
  @inline(__always)
  func use<R: ~Copyable>(_ body: () throws(Errno) -> R) throws(FileError) -> R {
    do throws(Errno) {
      return try body()
    } catch {
      if !isLocal { noteFailure(error) }
      throw .system(error)
    }
  }

  @inline(never)
  private func noteFailure(_ errno: Errno) {
    guard errno.mayEndDescriptions else { return }
    // In this order: a thread that finds the file free of doubt finds the loss counted.
    losses.wrappingAdd(1, ordering: .acquiringAndReleasing)
    doubt.store(true, ordering: .releasing)
  }

  func status() throws(FileError) -> FileStatus {
    try use { () throws(Errno) in try descriptor.status() }
  }

  /// Opens the file anew in the place of the description. No lock may be held on the old one,
  /// because its holder would not learn that the lock is gone.
  func renew(isWritable: Bool) throws(FileError) {
    // The kernel does not tell a daemon of the locks that go with a description.
    _ = try? descriptor.setLock(.none, start: 0, byteCount: 0)
    try system { () throws(Errno) in
      try renewDescription(of: descriptor, [isWritable ? .readWrite : .readOnly, .nonBlocking])
    }
    doubt.store(false, ordering: .releasing)
  }

  /// Throws unless the description is as it was when the locks were put on it, as far as that can
  /// be asked: a file system that has lost them says so.
  func proveLocks() throws(FileError) {
    if isLocal { return }
    _ = try status()
    if isDoubtful { throw .locksLost }
  }
}

extension Errno {
  /// Whether a description may be of no use after this error, though the file is well. Errors that
  /// are known to come from the disk or from the request are not among these.
  var mayEndDescriptions: Bool {
    switch self {
    case .inputOutput, .badDescriptor, .badDescriptorState, .notConnected, .stale, .timedOut,
      .connectionReset, .connectionRefused, .brokenPipe:
      true
    default: false
    }
  }
}
