// A session: this process's connection to one sidecar. It owns the socket and the home channel.
// End-of-file on the socket proves the other side's death. Further channels are opened through the
// session.
//
// A session keeps the standing that this process had when the session was made. The sidecar applies
// that standing, even if the process changes its own later.
//
// Threads: everything may be called from any thread. A forked child's copy of a session is dead:
// every call on it throws `forked`, and the child has no mapping of the regions.

internal import CSluice
internal import SluiceChannel
internal import SluiceSystem
internal import SluiceWire
internal import Synchronization

public final class Session: Sendable {
  /// Whether paths are the host's own (with a private sidecar), and not relative to a root.
  public let usesHostPaths: Bool
  /// Whether the sidecar serves other directories beside its root, by the host's own names.
  public let servesAlsoDirectories: Bool
  /// The shortcuts that the sidecar allows.
  public let allowedShortcuts: Shortcuts
  let socket: SessionSocket
  private let epoch: ProcessEpoch
  /// The channel that came with the session.
  let homeLine: ChannelLine
  /// The socket's path, zero-terminated; nil for a private sidecar.
  public let socketPath: [CChar]?
  /// When the session was lost, by the monotonic clock; 0 until then.
  private let lostAt = Atomic<Int64>(0)
  private let twoMeanings = Atomic<Bool>(false)
  /// Held while a caller waits for descriptors, so that they reach this caller.
  private let passing = FutexLock<Void>(())
  let walIndexParts = WALIndexParts()

  /// A sidecar that does not answer within this time counts as dead. It is long because a disk may
  /// be slow.
  static let callTimeoutNanoseconds: Int64 = 60_000_000_000

  /// How long it may take to get a session, in milliseconds.
  public static let connectMillisecondsMaximum: Int64 = 10_000

  /// Makes a session on `socket`, with a handshake until `deadline`. `path` is nil for a private
  /// sidecar.
  init(
    socket: consuming FileDescriptor, path: [CChar]?, deadline: Int64
  ) throws(ConnectError) {
    // Read it now, because this process may lose its access to /proc later.
    _ = processorCount
    let welcome = try shakeHands(on: socket, deadline: deadline)
    usesHostPaths = welcome.usesHostPaths
    servesAlsoDirectories = welcome.servesAlsoDirectories
    allowedShortcuts = welcome.shortcuts
    homeLine = ChannelLine(number: 0, regions: welcome.regions)
    epoch = ProcessEpoch.current
    socketPath = path
    do throws(Errno) { self.socket = try SessionSocket(socket) } catch { throw .system(error) }
  }

  // MARK: Connecting

  /// Connects to the shared sidecar that listens on `path` (zero-terminated). Blocks for the
  /// handshake, for at most `milliseconds`.
  public static func connect(
    toSocket path: [CChar], milliseconds: Int64 = connectMillisecondsMaximum
  ) throws(ConnectError) -> Session {
    let deadline = Clock.monotonicNanoseconds() + milliseconds * 1_000_000
    fillStandardDescriptors()
    return try unsafe Session(
      socket: try reachSidecar(path, deadline: deadline), path: path, deadline: deadline)
  }

  #if !hasFeature(Embedded)
    /// Connects to the shared sidecar that listens on `path`.
    public static func connect(
      toSocket path: String, milliseconds: Int64 = connectMillisecondsMaximum
    ) throws(ConnectError) -> Session {
      // The zero would end the path for the kernel.
      guard !path.utf8.contains(0) else { throw .unreachable(.invalid) }
      return try connect(toSocket: Array(path.utf8CString), milliseconds: milliseconds)
    }
  #endif

  // MARK: Its state

  /// False in a process that was forked from the process that made the session.
  public var belongsToThisProcess: Bool { epoch.isCurrent }

  /// Whether the sidecar belongs to `user`, and the kernel lets the calling thread look into its
  /// process. It does not if the thread is confined by Landlock and the sidecar is not.
  public func sidecarIsInSight(ofUser user: UInt32) -> Bool {
    guard let peer = socket.peer, peer.user == user else { return false }
    return sluice_standing_allows_sight(peer.process) == 1
  }

  /// Whether the sidecar lives right now. Costs one system call.
  public func probe() -> Bool {
    if epoch.isCurrent, socket.peerIsGone() { lose() }
    return callObstacle == nil
  }

  /// The reason why no call can be tried, or nil.
  @inline(__always)
  var callObstacle: CallError? {
    if !epoch.isCurrent { return .forked }
    return lostAt.load(ordering: .relaxed) != 0 ? .sessionLost : nil
  }

  /// Whether calls can be tried: this process made the session, and no call found the sidecar dead.
  @inline(__always)
  public var isUsable: Bool { callObstacle == nil }

  /// When a call first found the sidecar dead, stuck or lying, in nanoseconds by the monotonic
  /// clock; nil until then.
  public var lossNanoseconds: Int64? {
    let time = lostAt.load(ordering: .relaxed)
    return time == 0 ? nil : time
  }

  /// Ends the session after a call found the sidecar dead, stuck or lying. If the sidecar lives, it
  /// learns of this and releases the session's locks.
  func lose() {
    let now = Clock.monotonicNanoseconds()
    _ = lostAt.compareExchange(expected: 0, desired: now, ordering: .relaxed)
    socket.shutDown()
  }

  /// Whether the user was told that a name means two files.
  public var hasToldOfTwoMeanings: Bool { twoMeanings.load(ordering: .relaxed) }

  /// True for the caller that tells the user, once in the session.
  public func tellsOfTwoMeanings() -> Bool { !twoMeanings.exchange(true, ordering: .relaxed) }

  // MARK: Descriptors

  /// Runs a call that is answered with a read window.
  func receivingWindow(
    of file: UInt64, _ call: () throws(CallError) -> Void
  ) throws(CallError) -> OpenedWindow? {
    try receiving(call) { (socket, _) throws(ConnectError) in
      try receiveWindow(on: socket, file: file)
    }
  }

  /// Runs a call that is also answered with a descriptor and returns the number of its file. Maps
  /// the descriptor. It is not closed while a close could take the locks of stock SQLite's
  /// connections to the same file (see KeptDescriptors). Nil if this process has no room for the
  /// mapping.
  func receivingMapping(
    of file: UInt64, for purpose: DescriptorPurpose, _ range: MappedRange,
    inPlaceOf present: SharedMapping?, _ call: () throws(CallError) -> FileNumber
  ) throws(CallError) -> SharedMapping? {
    try receiving(call) { (socket, number) throws(ConnectError) in
      try receiveMapping(
        on: socket, file: file, purpose: purpose, range, of: number, inPlaceOf: present)
    }
  }

  /// Runs a call, then receives the message that its answer announced. One caller at a time, so
  /// that the message reaches the caller that asked. If the sidecar sends something else, the
  /// session ends.
  func receiving<Answer, Received>(
    _ call: () throws(CallError) -> Answer,
    from receive: (borrowing FileDescriptor, Answer) throws(ConnectError) -> Received
  ) throws(CallError) -> Received {
    try passing.withLock { (_) throws(CallError) in
      let answer = try call()
      do throws(ConnectError) {
        return try socket.use { (socket) throws(ConnectError) in try receive(socket, answer) }
      } catch {
        lose()
        throw .sessionLost
      }
    }
  }
}
