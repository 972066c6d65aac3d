// A new directory for the files of one run. Its owner says when to remove it.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem

package final class TemporaryDirectory {
  package let path: String
  private let owner: String

  /// Makes a new directory below `parent`. Makes `parent` too, if only its last part is missing.
  /// `owner` is the program that an error message names.
  package init(in parent: String, owner: String) throws(ToolError) {
    self.owner = owner
    _ = unsafe mkdir(zeroTerminated(parent), 0o777)
    var template = zeroTerminated(parent + "/bench-XXXXXX")
    guard unsafe mkdtemp(&template) != nil else {
      throw .failed("\(parent): no directory can be made there: \(lastErrorText())")
    }
    // Programs and /proc name the real path.
    guard let real = unsafe realpath(template, nil) else {
      throw .failed("\(parent): \(lastErrorText())")
    }
    defer { unsafe free(real) }
    path = unsafe String(cString: real)
  }

  package func makeSubdirectory(_ name: String) throws(ToolError) -> String {
    let made = path + "/" + name
    guard unsafe mkdir(zeroTerminated(made), 0o700) == 0 else {
      throw .failed("\(made): \(lastErrorText())")
    }
    return made
  }

  /// Removes the directory with all files below it. A sidecar that loses its client at this moment
  /// may still make a file: hence several tries.
  package func remove() {
    for _ in 0..<100 {
      if TemporaryDirectory.remove(path) { return }
      Clock.sleep(nanoseconds: 10_000_000)
    }
    printError("\(owner): \(path): cannot be removed: \(lastErrorText())")
  }

  private static func remove(_ path: String) -> Bool {
    for name in (try? unsafe namesInDirectory(zeroTerminated(path))) ?? [] {
      let entry = path + "/" + String(decoding: name, as: UTF8.self)
      if unsafe unlink(zeroTerminated(entry)) != 0 { _ = remove(entry) }
    }
    return unsafe rmdir(zeroTerminated(path)) == 0 || sluice_errno() == ENOENT
  }
}
