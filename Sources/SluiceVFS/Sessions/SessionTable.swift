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

  /// The session with the sidecar on `socket`. Without a socket: with the sidecar on SLUICE_SOCKET,
  /// or else with a private sidecar. Blocks for at most `milliseconds`.
  func session(
    socket: UnsafePointer<CChar>?, milliseconds: Int64 = Session.connectMillisecondsMaximum
  ) throws(VFSError) -> Session {
    let named = unsafe socket ?? environmentValue("SLUICE_SOCKET")
    let path = unsafe named.map {
      unsafe Array(UnsafeBufferPointer(start: $0, count: strlen($0) + 1))
    }
    do throws(ConnectError) {
      return try session(path, milliseconds: milliseconds)
    } catch {
      throw .connect(error, socket: path)
    }
  }

  /// The successor of a session whose sidecar is dead, or that belongs to this process's parent. It
  /// is on the same socket, or private as the lost session was. Within half a second of the loss,
  /// this waits for a sidecar that is just starting.
  func session(after lost: Session, milliseconds: Int64) throws(VFSError) -> Session {
    let deadline =
      (lost.lossNanoseconds ?? Clock.monotonicNanoseconds()) + Self.replacementNanoseconds
    while true {
      do throws(ConnectError) {
        return try session(lost.socketPath, milliseconds: milliseconds)
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

  /// The session with the sidecar on `socketPath`, or with a private one (nil). A session whose
  /// sidecar is dead is replaced. Blocks for at most `milliseconds`.
  private func session(
    _ socketPath: [CChar]?, milliseconds: Int64
  ) throws(ConnectError) -> Session {
    let deadline = Clock.monotonicNanoseconds() + milliseconds * 1_000_000
    let place = place(socketPath, Standing.current)
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
      if !former.isEmpty { places.removeAll { $0.standing != standing } }
      if let place = places.first(where: { $0.socketPath == socketPath }) { return (place, former) }
      let place = Place(socketPath, standing)
      places.append(place)
      return (place, former)
    }
    return place
  }
}
