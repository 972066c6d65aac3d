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

/// A database as a measured process opens it.
struct Target {
  var path: String
  var vfs = "unix"
  /// The extension that brings the VFS; nil where SQLite has it.
  var library: String?
  /// URI parameters as NAME=VALUE.
  var parameters: [String] = []

  /// As options of a command line, from which `init(_:)` reads it.
  var words: [String] {
    ["--database", path, "--vfs", vfs] + (library.map { ["--library", $0] } ?? [])
      + parameters.flatMap { ["--parameter", $0] }
  }

  init(path: String) { self.path = path }

  init(_ options: inout Options) throws(CommandError) {
    guard let path = try options.value("--database") else { throw .usage("--database is missing") }
    self.path = path
    vfs = try options.value("--vfs") ?? vfs
    library = try options.value("--library")
    while let parameter = try options.value("--parameter") { parameters.append(parameter) }
  }

  var uri: String {
    let parameters = self.parameters.map { Target.escaped($0) }.joined(separator: "&")
    return "file:\(Target.escaped(path))" + (parameters.isEmpty ? "" : "?" + parameters)
  }

  private static func escaped(_ text: String) -> String {
    text.map { character in
      switch character {
      case "%": "%25"
      case "?": "%3f"
      case "#": "%23"
      case "&": "%26"
      default: String(character)
      }
    }.joined()
  }
}
