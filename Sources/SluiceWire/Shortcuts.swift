// The shortcuts with which a client avoids waiting. The sidecar can turn off each one for all its
// clients, and a connection for itself, for a comparison or for good.

internal import CSluice

public struct Shortcuts: OptionSet, Equatable, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Writes return before they are done.
  public static let postedWrites = Shortcuts(rawValue: SLUICE_FEATURE_POSTED_WRITES)
  /// Pages are read from shared memory.
  public static let readWindow = Shortcuts(rawValue: SLUICE_FEATURE_READ_WINDOW)
  /// A size or an absence that cannot have changed is not requested again.
  public static let ownedKnowledge = Shortcuts(rawValue: SLUICE_FEATURE_OWNED_KNOWLEDGE)

  /// A lock that no other client needs is taken again without a request.
  public static let standingLocks = Shortcuts(rawValue: SLUICE_FEATURE_STANDING_LOCKS)

  /// Commits in WAL mode share their syncs.
  public static let groupCommit = Shortcuts(rawValue: SLUICE_FEATURE_GROUP_COMMIT)

  public static let all: Shortcuts = [
    .postedWrites, .readWindow, .ownedKnowledge, .standingLocks, .groupCommit,
  ]
}
