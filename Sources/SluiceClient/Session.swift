// A session: this process's standing with one sidecar. It owns the socket, whose end-of-file is
// the proof of either side's death, and the home channel; further channels are opened through it.
//
// It has the standing that this process had when it was made: the sidecar keeps to that, whatever the
// process becomes later.
//
// Threads: everything may be called from any thread. A forked child's copy of a session is dead:
// every call on it throws `forked`, and the regions are not even mapped there.

internal import CSluice
internal import SluiceChannel
internal import SluiceSystem
internal import SluiceWire
internal import Synchronization

public final class Session: Sendable {
  /// Whether paths are the host's own (a private sidecar) rather than a root's.
  public let usesHostPaths: Bool
  /// What the sidecar allows.
  let shortcuts: Shortcuts
  let socket: SessionSocket
  private let epoch: ProcessEpoch
  /// The channel that came with the session.
  let homeLine: ChannelLine
  /// The socket's path, zero-terminated; nil for a private sidecar.
  public let socketPath: [CChar]?
  /// When the session was lost, by the monotonic clock; 0 while it was not.
  private let lostAt = Atomic<Int64>(0)
  /// Held while descriptors are awaited: they must reach the one who asked.
  private let passing = FutexLock<Void>(())

  /// A sidecar that does not answer for so long counts as dead. Long, for a disk may be slow.
  static let callTimeoutNanoseconds: Int64 = 60_000_000_000

  /// How long it may take to get a session, in milliseconds.
  public static let connectMillisecondsMaximum: Int64 = 10_000

  /// Shakes hands on `socket`, until `deadline`. `path` is the socket's, nil for a private sidecar.
  init(
    socket: consuming FileDescriptor, path: [CChar]?, deadline: Int64
  ) throws(ConnectError) {
    // Later this process may have shut itself out of /proc.
    _ = processorCount
    let welcome = try shakeHands(on: socket, deadline: deadline)
    usesHostPaths = welcome.usesHostPaths
    shortcuts = welcome.shortcuts
    homeLine = ChannelLine(number: 0, regions: welcome.regions)
    epoch = ProcessEpoch.current
    socketPath = path
    do throws(Errno) { self.socket = try SessionSocket(socket) } catch { throw .system(error) }
  }

  // MARK: Getting one

  /// Connects to the shared sidecar that listens on `path` (zero-terminated). Blocks for the
  /// handshake, at most so long.
  public static func connect(
    toSocket path: [CChar], milliseconds: Int64 = connectMillisecondsMaximum
  ) throws(ConnectError) -> Session {
    let deadline = Clock.monotonicNanoseconds() + milliseconds * 1_000_000
    fillStandardDescriptors()
    return try unsafe Session(
      socket: try reach(path, deadline: deadline), path: path, deadline: deadline)
  }

  private static func reach(
    _ path: UnsafePointer<CChar>, deadline: Int64
  ) throws(ConnectError) -> FileDescriptor {
    var refusalCount = 0
    while true {
      do throws(Errno) {
        return try unsafe FileDescriptor.connect(toSocket: path)
      } catch .connectionRefused where refusalCount < 5 {
        // The socket's file is there a moment before its sidecar listens.
        refusalCount += 1
        Clock.sleep(nanoseconds: 2_000_000)
      } catch .again {
        // A full queue: the sidecar is busy greeting others.
        guard Clock.monotonicNanoseconds() < deadline else { throw .noAnswer }
        Clock.sleep(nanoseconds: 10_000_000)
      } catch {
        throw .unreachable(error)
      }
    }
  }

  // MARK: Its state

  /// False in a process forked from the one that made the session.
  public var belongsToThisProcess: Bool { epoch.isCurrent }

  /// Whether the sidecar is there right now: one system call.
  public func probe() -> Bool {
    if epoch.isCurrent, socket.peerIsGone() { lose() }
    return callObstacle == nil
  }

  /// Why a call cannot even be tried.
  @inline(__always)
  var callObstacle: CallError? {
    if !epoch.isCurrent { return .forked }
    return lostAt.load(ordering: .relaxed) != 0 ? .sessionLost : nil
  }

  /// When a call first found the sidecar dead, stuck or lying, in nanoseconds by the monotonic clock;
  /// nil as long as none did.
  public var lossNanoseconds: Int64? {
    let time = lostAt.load(ordering: .relaxed)
    return time == 0 ? nil : time
  }

  /// Ends the session after a call found the sidecar dead, stuck or lying.
  /// The sidecar, if it lives, learns of it and gives back the session's locks.
  func lose() {
    let now = Clock.monotonicNanoseconds()
    _ = lostAt.compareExchange(expected: 0, desired: now, ordering: .relaxed)
    socket.shutDown()
  }

  // MARK: Descriptors

  /// Runs a call that is answered with a read window.
  func receivingWindow(
    of file: UInt64, _ call: () throws(CallError) -> Void
  ) throws(CallError) -> OpenedWindow? {
    try receiving(call) { (socket, _) throws(ConnectError) in
      try receiveWindow(on: socket, file: file)
    }
  }

  /// Runs a call that is answered with a descriptor too, gives which file that is of, and maps it. No
  /// such descriptor is closed while that could take the locks of stock SQLite's connections to the
  /// same file (see KeptDescriptors). No mapping means that this process has no room for it.
  func receivingMapping(
    of file: UInt64, for purpose: DescriptorPurpose, _ range: MappedRange,
    inPlaceOf present: SharedMapping?, _ call: () throws(CallError) -> FileNumber
  ) throws(CallError) -> SharedMapping? {
    try receiving(call) { (socket, number) throws(ConnectError) in
      try receiveMapping(
        on: socket, file: file, purpose: purpose, range, of: number, inPlaceOf: present)
    }
  }

  /// Runs a call, then receives from the socket what its answer announced: one at a time, for what
  /// comes must reach who asked. A sidecar that sends something else has ended the session.
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
