// A database as a process opens it: its path, its VFS and its URI parameters.

package import SluiceCommand

package struct Target {
  package var path: String
  package var vfs = "unix"
  /// The extension that brings the VFS; nil where SQLite has it.
  package var library: String?
  /// URI parameters as NAME=VALUE.
  package var parameters: [String] = []

  /// As options of a command line, from which `init(_:)` reads it.
  package var words: [String] {
    ["--database", path, "--vfs", vfs] + (library.map { ["--library", $0] } ?? [])
      + parameters.flatMap { ["--parameter", $0] }
  }

  package init(path: String) { self.path = path }

  package init(_ options: inout Options) throws(CommandError) {
    guard let path = try options.value("--database") else { throw .usage("--database is missing") }
    self.path = path
    vfs = try options.value("--vfs") ?? vfs
    library = try options.value("--library")
    while let parameter = try options.value("--parameter") { parameters.append(parameter) }
  }

  package var uri: String {
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
