// One name in one directory.

internal import SluiceServer
internal import SluiceSystem

/// The name is zero-terminated and has no slash.
struct Location {
  let directory: Directory
  let name: [CChar]

  /// Whether no file may be made, removed or changed here.
  var isReadOnly: Bool { directory.root.isReadOnly }

  /// The file beside this one whose name is longer by `suffix`.
  func beside(_ suffix: String) -> Location {
    Location(directory: directory, name: Array(name.dropLast() + cString(suffix)))
  }
}
