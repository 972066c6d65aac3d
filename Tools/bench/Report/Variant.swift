// The variants that are compared: SQLite's own VFS, Sluice in several settings, and SQLite's own
// VFS over a passthrough file system in another process.

struct Variant: Equatable {
  enum Kind { case stock, sluice, fuse }

  let name: String
  let kind: Kind
  /// URI parameters of the database, as NAME=VALUE.
  var parameters: [String] = []

  static let stock = Variant(name: "stock unix VFS", kind: .stock)
  static let sluice = Variant(name: "Sluice", kind: .sluice)
  static let fuse = Variant(name: "unix VFS over FUSE", kind: .fuse)

  /// Sluice with one of its shortcuts turned off, each by the URI parameter for that. A VFS that
  /// does not know the parameter cannot show what the shortcut is worth.
  static let withoutReadWindow = off("read-window")
  static let withoutPostedWrites = off("posted-writes")
  static let withoutOwnedKnowledge = off("owned-knowledge")
  static let withoutStandingLocks = off("standing-locks")

  /// Whether the benchmark can go on without this variant.
  var isOptional: Bool { !parameters.isEmpty }

  private static func off(_ feature: String) -> Variant {
    Variant(name: "Sluice, \(feature)=0", kind: .sluice, parameters: [feature + "=0"])
  }
}
