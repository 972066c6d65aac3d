// The ways in which a client saves itself waiting. Each can be turned off alone, by the
// sidecar for all its clients and by a connection for itself, to compare or to go without.

internal import CSluice

public struct Shortcuts: OptionSet, Equatable, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Writes return before they are done.
  public static let postedWrites = Shortcuts(rawValue: SLUICE_FEATURE_POSTED_WRITES)
  /// Pages are read from shared memory.
  public static let readWindow = Shortcuts(rawValue: SLUICE_FEATURE_READ_WINDOW)
  /// A size or an absence that cannot have changed is not asked for again.
  public static let ownedKnowledge = Shortcuts(rawValue: SLUICE_FEATURE_OWNED_KNOWLEDGE)

  /// A lock that nobody else needs is taken again without asking.
  public static let standingLocks = Shortcuts(rawValue: SLUICE_FEATURE_STANDING_LOCKS)

  public static let all: Shortcuts = [
    .postedWrites, .readWindow, .ownedKnowledge, .standingLocks,
  ]
}
