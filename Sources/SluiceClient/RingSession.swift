// A session of one channel, on which several requests may be under way: what a client of SQL has
// for each of its connections. It ends with its last reference.
//
// Threads: any. Calls of several threads wait for each other, except `cancel`.

internal import CSluice
public import SluiceChannel
package import SluiceSystem
internal import SluiceWire
internal import Synchronization

public final class RingSession: Sendable {
  private let socket: SessionSocket
  private let epoch: ProcessEpoch
  private let ring: FutexLock<RequestRing>
  private let cancelling: Cancelling
  private let hasEnded = Atomic<Bool>(false)
  /// Told of the end, where the server is a thread of this process and sleeps.
  private let whenEnded: (@Sendable () -> Void)?

  /// A server that shows no sign of life for so long counts as dead.
  private static let stuckNanoseconds: Int64 = 60_000_000_000

  private convenience init(
    socket: consuming FileDescriptor, deadline: Int64
  ) throws(ConnectError) {
    // Read it now, because this process may lose its access to /proc later.
    _ = processorCount
    let welcome = try shakeHands(on: socket, deadline: deadline)
    try self.init(socket: socket, regions: welcome.regions)
  }

  /// A session with a server in this process, which has the other ends. The server closes its end of
  /// the socket when it ends, and ends when this one is shut down, after which `whenEnded` is called.
  package init(
    socket: consuming FileDescriptor, regions: consuming ChannelRegions,
    whenEnded: (@Sendable () -> Void)? = nil
  ) throws(ConnectError) {
    self.whenEnded = whenEnded
    let requests = RequestRing(regions)
    cancelling = requests.cancelling
    ring = FutexLock(requests)
    epoch = ProcessEpoch.current
    do throws(Errno) { self.socket = try SessionSocket(socket) } catch { throw .system(error) }
  }

  /// Connects to the server that listens on `path` (zero-terminated). Blocks for at most
  /// `milliseconds`.
  public static func connect(
    toSocket path: [CChar], milliseconds: Int64 = Session.connectMillisecondsMaximum
  ) throws(ConnectError) -> RingSession {
    let deadline = Clock.monotonicNanoseconds() + milliseconds * 1_000_000
    fillStandardDescriptors()
    return try unsafe RingSession(
      socket: try reachSidecar(path, deadline: deadline), deadline: deadline)
  }

  /// Starts `program` (zero-terminated) as this process's own server. It ends with this session.
  public static func startPrivate(
    program: [CChar], arguments: [[CChar]]? = nil,
    milliseconds: Int64 = Session.connectMillisecondsMaximum
  ) throws(ConnectError) -> RingSession {
    let deadline = Clock.monotonicNanoseconds() + milliseconds * 1_000_000
    fillStandardDescriptors()
    let socket = try unsafe spawnServer(program, arguments: arguments ?? [characters("--private")])
    return try RingSession(socket: socket, deadline: deadline)
  }

  /// Starts the `sluice-engine` program as this process's own engine: the one that SLUICE_ENGINE
  /// names, else the one beside this code (`../bin/sluice-engine` as installed, or in the same
  /// directory), else the first in PATH.
  ///
  /// - Parameter documentsKey: the directory (zero-terminated) of the key by which the engine signs the
  ///   transactions of documents. Without it, the engine has no documents.
  public static func startPrivateEngine(
    documentsKey: [CChar]? = nil, milliseconds: Int64 = Session.connectMillisecondsMaximum
  ) throws(ConnectError) -> RingSession {
    let arguments = documentsKey.map { [characters("--private-documents"), $0] }
    if let named = unsafe environmentValue("SLUICE_ENGINE") {
      let program = unsafe Array(UnsafeBufferPointer(start: named, count: strlen(named) + 1))
      return try startPrivate(
        program: program, arguments: arguments, milliseconds: milliseconds)
    }
    guard let program = installedProgram(characters("sluice-engine")) else {
      throw .programNotFound
    }
    return try startPrivate(program: program, arguments: arguments, milliseconds: milliseconds)
  }

  // MARK: Calls

  /// Works with the ring, alone.
  @inline(__always)
  public func withRing<R>(
    _ body: (inout RequestRing) throws(ChannelFailure) -> R
  ) throws(CallError) -> R {
    if !epoch.isCurrent { throw .forked }
    if hasEnded.load(ordering: .relaxed) { throw .sessionLost }
    do throws(ChannelFailure) { return try ring.withLock(body) } catch { throw ended(by: error) }
  }

  /// Waits for the answer to a request, with a watchdog.
  @inline(__always)
  public func answer(
    to number: UInt32, in ring: inout RequestRing
  ) throws(ChannelFailure) -> PlacedAnswer {
    try ring.answer(
      to: number, stuckNanoseconds: Self.stuckNanoseconds, peerIsGone: { socket.peerIsGone() })
  }

  /// The same, unless `wake` has other signals than `signals` before: then nil. So a thread may
  /// submit further requests while it waits.
  public func answer(
    to number: UInt32, orWake wake: WakeWord, after signals: UInt32, in ring: inout RequestRing
  ) throws(ChannelFailure) -> PlacedAnswer? {
    try ring.answer(
      to: number, orWake: wake, after: signals, stuckNanoseconds: Self.stuckNanoseconds,
      peerIsGone: { socket.peerIsGone() })
  }

  @inline(never)
  private func ended(by failure: ChannelFailure) -> CallError {
    switch failure {
    case .notSent: break
    case .peerGone, .timedOut, .violation: end()
    }
    return .failed(failure)
  }

  /// Interrupts the request of this number, if it is under way. Waits for nobody.
  public func cancel(_ number: UInt32) { cancelling.cancel(number) }

  /// Ends the session: the server drops what belongs to it.
  public func end() {
    hasEnded.store(true, ordering: .relaxed)
    shutDown()
  }

  private func shutDown() {
    socket.shutDown()
    whenEnded?()
  }

  /// Whether a call found the server dead, stuck or lying, or the session was ended.
  public var isOver: Bool { hasEnded.load(ordering: .relaxed) || !epoch.isCurrent }

  deinit { if epoch.isCurrent { shutDown() } }
}
