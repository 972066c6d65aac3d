// The sessions of this process, by socket and by standing.
//
// A session keeps the standing in which it was made: its sidecar keeps the rights that the process
// had then. So a thread uses a session only while its own standing is the same. A session of
// another standing lasts only as long as its open files, as a descriptor would. A program that
// gives up rights and regains them makes a new session each time.
//
// The sidecar decides how long a connect takes, so it happens outside the table's lock. Only
// threads that want the same session wait for it, each until its own deadline.
//
// Threads: any.

internal import CSluice
internal import SluiceClient
internal import SluiceSystem
internal import Synchronization

final class SessionTable: Sendable {
  /// The place of a session, which may still be empty. The thread that holds the lock makes the
  /// session.
  private final class Place: Sendable {
    /// Zero-terminated; nil for a private sidecar.
    let socketPath: [CChar]?
    let standing: Standing
    let session = FutexLock<Session?>(nil)

    init(_ socketPath: [CChar]?, _ standing: Standing) {
      self.socketPath = socketPath
      self.standing = standing
    }
  }

  private let places = FutexLock<[Place]>([])
  private let givenUp = Atomic<Int>(0)

  /// How often sessions of another standing were given up.
  var formerCount: Int { givenUp.load(ordering: .relaxed) }

  /// The session with the sidecar on `socket`. Without a socket: with the sidecar on SLUICE_SOCKET;
  /// or else with the sidecar of `sluice run`, if the thread may use it; or else with a private
  /// sidecar. Blocks for at most `milliseconds`.
  @inline(never)
  func session(
    socket: UnsafePointer<CChar>?, milliseconds: Int64 = Session.connectMillisecondsMaximum
  ) throws(VFSError) -> Session {
    let named = unsafe socket ?? environmentValue("SLUICE_SOCKET")
    let path = unsafe named.map { unsafe characters($0) }
    do throws(ConnectError) {
      guard let path else { return try sessionForHostPaths(milliseconds: milliseconds) }
      return try session(path, Standing.current, milliseconds: milliseconds)
    } catch {
      throw .connect(error, socket: path)
    }
  }

  /// The successor of a session whose sidecar is dead, or that belongs to this process's parent. It
  /// is on the same socket, or serves the host's own names as the lost session did. Within half a
  /// second of the loss, this waits for a sidecar that is just starting.
  func session(after lost: Session, milliseconds: Int64) throws(VFSError) -> Session {
    let deadline =
      (lost.lossNanoseconds ?? Clock.monotonicNanoseconds()) + Self.replacementNanoseconds
    while true {
      do throws(ConnectError) {
        guard let path = lost.socketPath, !lost.usesHostPaths else {
          return try sessionForHostPaths(milliseconds: milliseconds)
        }
        return try session(path, Standing.current, milliseconds: milliseconds)
      } catch {
        let mayBeStarting =
          switch error {
          case .unreachable, .hungUp: Clock.monotonicNanoseconds() < deadline
          default: false
          }
        guard mayBeStarting else { throw .connect(error, socket: lost.socketPath) }
      }
      Clock.sleep(nanoseconds: 5_000_000)
    }
  }

  private static let replacementNanoseconds: Int64 = 500_000_000

  /// The session with the sidecar of `sluice run`. If the thread may not use it, or cannot: with a
  /// private sidecar.
  @inline(never)
  private func sessionForHostPaths(milliseconds: Int64) throws(ConnectError) -> Session {
    let standing = Standing.current
    guard let path = unsafe runSocket(for: standing) else {
      return try session(nil, standing, milliseconds: milliseconds)
    }
    do throws(ConnectError) {
      let session = try session(unsafe characters(path), standing, milliseconds: milliseconds)
      // When that sidecar has ended, anybody may have taken its name.
      let isOurs = session.sidecarIsInSight(ofUser: standing.fileSystemUser)
      if isOurs, session.usesHostPaths { return session }
    } catch {
      // A sidecar that is stopped has taken all the time.
      if error == .noAnswer { throw error }
    }
    return try session(nil, standing, milliseconds: milliseconds)
  }

  /// The session with the sidecar on `socketPath`, or with a private one (nil), in the calling
  /// thread's `standing`. A session whose sidecar is dead is replaced. Blocks for at most
  /// `milliseconds`.
  @inline(never)
  private func session(
    _ socketPath: [CChar]?, _ standing: Standing, milliseconds: Int64
  ) throws(ConnectError) -> Session {
    let deadline = Clock.monotonicNanoseconds() + milliseconds * 1_000_000
    let place = place(socketPath, standing)
    let session = try place.session.withLock(until: deadline) {
      (session) throws(ConnectError) -> Session in
      if let session, session.probe() { return session }
      session = nil
      let rest = max(1, (deadline - Clock.monotonicNanoseconds()) / 1_000_000)
      let made =
        if let socketPath {
          try Session.connect(toSocket: socketPath, milliseconds: rest)
        } else {
          try Session.startPrivate(milliseconds: rest)
        }
      session = made
      return made
    }
    guard let session else { throw .noAnswer }
    return session
  }

  private func place(_ socketPath: [CChar]?, _ standing: Standing) -> Place {
    // Places of other standings are released outside the lock, and their sessions perhaps with
    // them.
    let (place, _) = places.withLock { places -> (Place, former: [Place]) in
      let former = places.contains { $0.standing != standing } ? places : []
      if !former.isEmpty {
        places.removeAll { $0.standing != standing }
        givenUp.add(1, ordering: .relaxed)
      }
      if let place = places.first(where: { $0.socketPath == socketPath }) { return (place, former) }
      let place = Place(socketPath, standing)
      places.append(place)
      return (place, former)
    }
    return place
  }
}

/// The text with its terminating zero.
private func characters(_ text: UnsafePointer<CChar>) -> [CChar] {
  unsafe Array(UnsafeBufferPointer(start: text, count: strlen(text) + 1))
}
