// What is compared: SQLite's own VFS, Sluice in its several settings, and SQLite's own VFS over a
// passthrough file system in another process.

struct Variant: Equatable {
  enum Kind { case stock, sluice, fuse }

  let name: String
  let kind: Kind
  /// URI parameters of the database, as NAME=VALUE.
  var parameters: [String] = []

  static let stock = Variant(name: "stock unix VFS", kind: .stock)
  static let sluice = Variant(name: "Sluice", kind: .sluice)
  static let fuse = Variant(name: "unix VFS over FUSE", kind: .fuse)

  /// Sluice without one of the ways not to wait, each with the URI parameter that turns it
  /// off. A VFS that does not know one of these cannot show what that is worth.
  static let withoutReadWindow = off("read-window")
  static let withoutPostedWrites = off("posted-writes")
  static let withoutOwnedKnowledge = off("owned-knowledge")
  static let withoutStandingLocks = off("standing-locks")

  /// Whether the benchmark goes on without it.
  var isOptional: Bool { !parameters.isEmpty }

  private static func off(_ feature: String) -> Variant {
    Variant(name: "Sluice, \(feature)=0", kind: .sluice, parameters: [feature + "=0"])
  }
}
