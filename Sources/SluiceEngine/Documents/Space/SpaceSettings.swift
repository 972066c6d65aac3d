// What a space lets its users set. Kept as one JSON text in `space_settings`.

/// The settings of a space.
package struct SpaceSettings: Sendable, Equatable {
  /// Whether writes may go in behind stale bases, and the server may add merge changes.
  package var enableServerMerge = false
  /// How many changes a branch takes at least before it gets another snapshot.
  package var snapshotCadence: Int64 = 500
  /// How many snapshots of a branch are kept, at least 2.
  package var snapshotsKept: Int64 = 2

  static let row = "settings"

  package init() {}

  var value: SpaceValue {
    .map([
      .init("enableServerMerge", .bool(enableServerMerge)),
      .init("snapshotCadence", .integer(snapshotCadence)),
      .init("snapshotsKept", .integer(snapshotsKept)),
    ])
  }

  /// Members that are missing have their defaults. Throws for members that are none.
  package init(_ value: SpaceValue) throws(SpaceError) {
    guard case .map(let members) = value else { throw Self.error("settings are an object") }
    for member in members {
      switch member.key {
      case "enableServerMerge":
        guard let bool = member.value.bool else { throw Self.error("\(member.key) is a boolean") }
        enableServerMerge = bool
      case "snapshotCadence": snapshotCadence = try Self.number(member, in: 1...1_000_000)
      case "snapshotsKept": snapshotsKept = try Self.number(member, in: 2...100)
      default: throw Self.error("there is no setting \(member.key)")
      }
    }
  }

  private static func number(
    _ member: SpaceValue.Member, in range: ClosedRange<Int64>
  ) throws(SpaceError) -> Int64 {
    guard let number = member.value.integer, range.contains(number) else {
      throw error("\(member.key) is a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  private static func error(_ message: String) -> SpaceError {
    SpaceError(.invalidArgument, message)
  }
}
