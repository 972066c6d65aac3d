// An open inode with what all sessions know of it together: its locks, and whether it is ours
// alone.
//
//   owned     we hold a write lease: no other process has the file open, and none can open it
//             before we have answered. No lock stands on the file.
//   mirrored  others may have it open: every lock that our clients hold together stands on the file
//             as well, on the bytes that SQLite's unix VFS uses.
//
// A lease proves nothing where other kernels, or a daemon, can change the file (FileSystemKind).
// Such a file is mirrored for ever and has no WAL index, and its locks are taken off it before it
// is closed: the kernel takes them off a file that is closed, but tells no daemon of that.
//
// Its parts know nothing of it, and this puts them together:
//
//   Ladder, WALLocks    which handles hold what: values
//   Line                which of them wait: a value
//   Standers            which locks stand beyond their use
//   Lease               whether the file is owned
//   FileDescription     the description, and whether it has gone bad
//   LockMirror          what stands on the file
//   FileContent         reads, writes, sizes, the read window, the quota
//   WALIndex            the `-shm` file
//   WALPromises         which part of a WAL is promised to be durable, and is not yet
//
// Threads: any. `state` is behind one small lock, held across lock and lease calls; these never
// wait, except for the server of a shared file system. Content needs no lock of ours but that of a
// read window, which is taken after that of `state` where both are needed.

internal import SluiceServer
internal import SluiceSystem
internal import SluiceWire
internal import Synchronization

final class SharedFile: Sendable {
  let identity: FileIdentity
  /// False where the system allows reading only.
  let isWritable: Bool
  /// Tests make each sync take so much longer.
  let syncDelayNanoseconds: Int64
  let description: FileDescription
  let content: FileContent
  /// Of a WAL: the syncs that its writers share.
  let promises = WALPromises()
  let state: FutexLock<State>
  let metrics: Metrics
  let leaseTrust = LeaseTrust()
  /// Whether every session that has it open is being ended. See `giveUp`.
  let wasGivenUp = Atomic<Bool>(false)
  /// Of a WAL: whether what follows its durable part is to be cut off. See `loseTail`.
  let hasLostTail = Atomic<Bool>(false)
  /// A bit for each reactor with a session that has opened it; the last bit is for all beyond.
  private let users = Atomic<UInt64>(0)

  struct State {
    var lease: Lease
    var ladder = Ladder()
    var line = Line<Waiter>()
    /// Empty while mirrored.
    var standers = Standers()
    /// There while some handle uses it.
    var walIndex: WALIndex?
    /// The WAL of which a part was promised to be durable; there while the index is.
    var promisedWAL: SharedFile?
    /// How long the WAL was when the line paused for its checkpoint last.
    var pausedFrameCount: UInt32 = 0
    /// The WAL whose read window is owned while the database is; there while some handle has it open.
    var shownWAL: SharedFile? {
      get { shownWALReference?.file }
      set { shownWALReference = WeakReference(newValue) }
    }
    private var shownWALReference: WeakReference? = nil

    init(lease: Lease) { self.lease = lease }
    /// Which handle took the right to write last, which one before it, and when.
    var lastWriter: (holder: UInt64, before: UInt64, at: Int64) = (0, 0, .min / 2)
    /// When the right to write was granted last to stand while nobody waited.
    var writeGrantedAt: Int64 = .min / 2

    @inline(__always)
    var isMirrored: Bool { !lease.isHeld }
  }

  /// A file that this does not keep open.
  private final class WeakReference {
    private(set) weak var file: SharedFile?
    init(_ file: SharedFile?) { self.file = file }
  }

  init(
    _ descriptor: consuming FileDescriptor, identity: FileIdentity, isWritable: Bool,
    metrics: Metrics, account: QuotaAccount? = nil, syncDelayNanoseconds: Int64
  ) {
    self.syncDelayNanoseconds = syncDelayNanoseconds
    description = FileDescription(descriptor)
    content = FileContent(account: account)
    self.identity = identity
    self.isWritable = isWritable
    self.metrics = metrics
    state = FutexLock(State(lease: Lease(isPossible: description.isLocal)))
  }

  var descriptor: FileDescriptor { _read { yield description.descriptor } }

  var descriptorNumber: Int32 { description.descriptor.rawValue }

  /// Whether one kernel sees every open of it, so that a lease counts.
  @inline(__always)
  var isLocal: Bool { description.isLocal }

  /// Remembers that a session of this reactor has it open.
  func noteUse(byReactor number: Int) {
    users.bitwiseOr(1 << UInt64(min(number, 63)), ordering: .sequentiallyConsistent)
  }

  func isUsed(byReactor number: Int) -> Bool {
    users.load(ordering: .sequentiallyConsistent) & 1 << UInt64(min(number, 63)) != 0
  }

  /// No handle has it open any more.
  func noteEnd() {
    state.withLock { endWindowOfWAL($0, forGood: true) }
    cutLostTail()
    if !isLocal { _ = try? description.descriptor.setLock(.none, start: 0, byteCount: 0) }
    content.noteEnd(of: description)
  }
}
