// The sessions of this process, by socket and by standing.
//
// A session keeps the standing in which it was made: its sidecar goes on with the rights that the
// process had then. So one is used only as long as the calling thread's standing is the same, and one
// of another standing lasts only as long as its open files do, as a descriptor would. A program that
// gives up rights and comes back to them makes a new session each time.
//
// To connect may take as long as the sidecar likes: it is done outside of the table's lock, and only
// threads that want the same session wait for it, each until its own deadline.
//
// Threads: any.

internal import CSluice
internal import SluiceClient
internal import SluiceSystem

final class SessionTable: Sendable {
  /// Where a session is, or is being made by the thread that has the lock.
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

  /// The session with the sidecar on `socketPath`, or with a private one (nil). A session whose
  /// sidecar is dead is replaced. Blocks for at most so long.
  func session(_ socketPath: [CChar]?, milliseconds: Int64) throws(ConnectError) -> Session {
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
    // The places of other standings go outside of the lock, and with them perhaps their sessions.
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
