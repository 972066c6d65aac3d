// Where the databases of an engine are: how a client's path becomes SQLite's name of a file.

internal import CEngine
internal import SluiceSystem

package struct DatabasePlace: Sendable {
  /// Who has the files.
  private enum Keeper {
    /// The host, by its own names, through a VFS of this process; nil for SQLite's own.
    case host(vfs: String?)
    /// This process, beneath a directory, through SQLite's own VFS.
    case directory([UInt8])
    /// The sidecar on a socket, beneath its root.
    case sidecar(socket: String)
    /// A private sidecar, by the host's names.
    case privateSidecar
  }

  private let keeper: Keeper
  /// What comes before every path; empty for nothing.
  private var directory: [UInt8] = []

  private init(keeper: Keeper) { self.keeper = keeper }

  package static let host = DatabasePlace(keeper: .host(vfs: nil))

  /// The host's databases, through a VFS that is known to this process's SQLite.
  static func host(through vfs: String) -> DatabasePlace { DatabasePlace(keeper: .host(vfs: vfs)) }

  /// Databases beneath a directory (an absolute path), whose files this process opens itself.
  package static func beneath(_ directory: String) -> DatabasePlace {
    DatabasePlace(keeper: .directory(Array(directory.utf8)))
  }

  /// Databases beneath the root of the file sidecar on `socket`; without a socket, the host's own,
  /// through a private file sidecar.
  package static func sidecar(socket: String?) -> DatabasePlace {
    DatabasePlace(keeper: socket.map { .sidecar(socket: $0) } ?? .privateSidecar)
  }

  /// The databases of a directory of this place; of the place itself if `path` is empty.
  func below(_ path: [UInt8]) -> DatabasePlace {
    var place = self
    place.directory = path
    return place
  }

  /// The VFS's name; nil for SQLite's own.
  var vfs: String? {
    switch keeper {
    case .host(let vfs): vfs
    case .directory: nil
    case .sidecar, .privateSidecar: "sluice"
    }
  }

  /// The URI of a database. Throws for a path that cannot be one of this place.
  func uri(of path: [UInt8]) throws(DatabaseError) -> [UInt8] {
    let path = directory.isEmpty ? path : directory + [UInt8(ascii: "/")] + path
    guard !path.isEmpty, !path.contains(0) else {
      throw DatabaseError(SQLITE_CANTOPEN, "the path is empty or has a zero byte")
    }
    switch keeper {
    case .host, .privateSidecar: return Array("file:".utf8) + escaped(path)
    case .sidecar(let socket):
      // Otherwise the working directory of this process would decide what a relative path means.
      let start = path.first == UInt8(ascii: "/") ? "file:" : "file:/"
      return Array(start.utf8) + escaped(path) + Array("?socket=".utf8)
        + escaped(Array(socket.utf8))
    case .directory(let directory):
      let components = path.split(separator: UInt8(ascii: "/"))
      guard !components.isEmpty, !components.contains(where: { $0.elementsEqual("..".utf8) }) else {
        throw DatabaseError(
          SQLITE_CANTOPEN, "the path leads out of the engine's directory; name one beneath it")
      }
      let joined =
        directory + [UInt8(ascii: "/")] + components.joined(separator: [UInt8(ascii: "/")])
      return Array("file:".utf8) + escaped(joined)
    }
  }

  /// As in RFC 3986: everything but letters, digits and "-._~/" as %XX.
  private func escaped(_ bytes: [UInt8]) -> [UInt8] {
    let digits = Array("0123456789ABCDEF".utf8)
    return bytes.flatMap { byte -> [UInt8] in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
        UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "/"):
        [byte]
      default: [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
  }

  // MARK: Confinement

  /// What this process does with files itself; without it, the sidecar has them all.
  func allowItsUse(in ruleset: borrowing LandlockRuleset) throws(Errno) {
    guard case .directory(let directory) = keeper else { return }
    let path = directory.map { CChar(bitPattern: $0) } + [0]
    let descriptor = try unsafe FileDescriptor.open(path, [.directory, .pathOnly])
    try ruleset.allow(
      [.readFile, .readDirectory, .writeFile, .makeFile, .removeFile, .truncate], at: descriptor)
  }

  /// Whether Landlock alone keeps this process within its directory.
  var needsLandlock: Bool { if case .directory = keeper { true } else { false } }
}
