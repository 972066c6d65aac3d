// A space of versioned documents for Swift programs. `LocalSpace` in SluiceEngine has one of this
// process.

package import SluiceClient
internal import SluiceSystem

/// A space of versioned documents.
///
/// Calls may come from any task. A space does them one after the other, in the order in which they
/// reach it; a program whose reads must not wait for its commits opens the space twice. The space ends
/// with its last reference.
///
///     let space = try await Space.open("did:key:z6Mk…", onSocket: "/run/user/1000/engine")
///     let plan = DocumentReference("doc:plan")
///     try await space.edit(plan) { edit throws(AutomergeError) in
///       try edit.set("Plan", forKey: "title")
///     }
///     let json = try await space.read(plan, at: .time("2026-11-30T00:00:00Z")).json
public final class Space: Sendable {
  /// A did:key.
  public let name: String
  /// What the engine told of the space when it was opened.
  public let facts: SpaceFacts
  private let lane: DocumentLane

  private init(_ name: String, _ facts: SpaceFacts, _ lane: DocumentLane) {
    self.name = name
    self.facts = facts
    self.lane = lane
  }

  deinit { lane.close() }

  // MARK: Opening

  /// Opens a space of the engine that listens on a socket. `directory` is relative to the engine's
  /// root; empty for the root. If it `creates`, a space that is not there is made.
  public static func open(
    _ name: String, onSocket socket: String, in directory: String = "", creates: Bool = false
  ) async throws(DocumentFailure) -> Space {
    try await open(name, in: directory, creates: creates) { () throws(DocumentFailure) in
      guard !socket.utf8.contains(0) else { throw .notConnected(.unreachable(.invalid)) }
      do throws(ConnectError) {
        return try RingSession.connect(toSocket: Array(socket.utf8CString))
      } catch {
        throw .notConnected(error)
      }
    }
  }

  /// Opens a space in the session that `connect` makes, in the space's thread.
  package static func open(
    _ name: String, in directory: String, creates: Bool,
    _ connect: @escaping @Sendable () throws(DocumentFailure) -> RingSession
  ) async throws(DocumentFailure) -> Space {
    let lane = DocumentLane()
    let facts = try await lane.start { () throws(DocumentFailure) in
      try DocumentConnection(try connect(), space: name, in: directory, creates: creates)
    }
    return Space(name, facts, lane)
  }

  /// Ends the use of the space: calls that have come before are done, later ones fail.
  public func close() { lane.close() }

  /// Does any calls of the blocking connection in the space's thread.
  public func perform<R: Sendable>(
    _ body: @escaping @Sendable (DocumentConnection) throws(DocumentFailure) -> R
  ) async throws(DocumentFailure) -> R {
    try await lane.perform(body)
  }
}
