// A directory of one's own for the files of a benchmark, removed when its owner says so.

internal import CSluice
internal import SluiceSystem

final class TemporaryDirectory {
  let path: String

  /// Makes a new directory below `parent`, which is made as well if only its last part is missing.
  init(in parent: String) throws(BenchmarkError) {
    _ = unsafe mkdir(zeroTerminated(parent), 0o777)
    var template = zeroTerminated(parent + "/bench-XXXXXX")
    guard unsafe mkdtemp(&template) != nil else {
      throw .failed("\(parent): no directory can be made there: \(lastErrorText())")
    }
    // What programs and /proc name is the real path.
    guard let real = unsafe realpath(template, nil) else {
      throw .failed("\(parent): \(lastErrorText())")
    }
    defer { unsafe free(real) }
    path = unsafe String(cString: real)
  }

  func makeSubdirectory(_ name: String) throws(BenchmarkError) -> String {
    let made = path + "/" + name
    guard unsafe mkdir(zeroTerminated(made), 0o700) == 0 else {
      throw .failed("\(made): \(lastErrorText())")
    }
    return made
  }

  /// Removes the directory with the files in it and in its subdirectories. A sidecar that loses its
  /// client in this moment may still make a file: hence several tries.
  func remove() {
    for _ in 0..<100 {
      if TemporaryDirectory.remove(path) { return }
      Clock.sleep(nanoseconds: 10_000_000)
    }
    printError("sluice: bench: \(path): cannot be removed: \(lastErrorText())")
  }

  private static func remove(_ path: String) -> Bool {
    for name in (try? unsafe namesInDirectory(zeroTerminated(path))) ?? [] {
      let entry = path + "/" + String(decoding: name, as: UTF8.self)
      if unsafe unlink(zeroTerminated(entry)) != 0 { _ = remove(entry) }
    }
    return unsafe rmdir(zeroTerminated(path)) == 0 || sluice_errno() == ENOENT
  }
}

/// What `errno` says.
func lastErrorText() -> String { unsafe String(cString: sluice_errno_text(sluice_errno())) }
