// SQLite's own speedtest1, an unmodified program. `sluice run` preloads libsluice.so into it.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

struct Speedtest {
  /// Options of speedtest1, and whether they make a WAL database.
  struct Setting {
    let name: String
    let words: [String]
    let isWAL: Bool

    static let delete = Setting(name: "DELETE", words: ["--journal", "delete"], isWAL: false)
    static let deleteWithoutSync = Setting(
      name: "DELETE, --nosync", words: ["--journal", "delete", "--nosync"], isWAL: false)
    static let wal = Setting(name: "WAL", words: ["--journal", "wal"], isWAL: true)
  }

  /// The options of benchmarks that run it.
  static let options: Set<String> = ["--size", "--speedtest1"]

  let size: Int
  private let program: String

  /// Fails if there is no speedtest1.
  init(_ parameters: BenchmarkParameters, on bench: Workbench) throws(ToolError) {
    size = parameters.size
    if let named = parameters.speedtestProgram {
      program = named
    } else {
      program = try Speedtest.obtained(for: bench.sqlite.version)
    }
    guard unsafe access(zeroTerminated(program), X_OK) == 0 else {
      throw .failed("speedtest1: \(program): \(lastErrorText())")
    }
  }

  /// Runs it on a new database, with a private sidecar where the variant has one.
  func run(
    _ setting: Setting, _ variant: Variant, on bench: Workbench
  ) throws(ToolError) -> ProgramRun {
    let database = bench.freshName()
    defer { bench.remove(database) }
    let target = bench.target(database, variant)
    // speedtest1 gives up when there is no VFS of that name.
    let words =
      [program, "--vfs", target.vfs, "--size", String(size)] + setting.words + [target.path]
    let prefix = target.library == nil ? [] : [bench.sidecarProgram, "run", "--"]
    let run = try ProgramRun(prefix + words, library: target.library, on: bench)
    // Bytes 18 and 19 of the header are 2 in WAL mode.
    let file = try? unsafe FileDescriptor.open(zeroTerminated(bench.path(database)), .readOnly)
    var version: UInt8 = 0
    _ = try? unsafe withUnsafeMutableBytes(of: &version) { (bytes) throws(Errno) in
      try unsafe file?.read(into: bytes, at: 18)
    }
    guard version == (setting.isWAL ? 2 : 1) else {
      throw .failed("speedtest1: \(variant.name): the database is not in \(setting.name) mode")
    }
    return run
  }

  /// The program that `Tools/sqlite-suite build` made for the installed version of SQLite.
  private static func obtained(for version: String) throws(ToolError) -> String {
    let home = unsafe environmentValue("HOME").map { unsafe String(cString: $0) } ?? ""
    let cache =
      unsafe environmentValue("XDG_CACHE_HOME").map { unsafe String(cString: $0) }
      ?? home + "/.cache"
    let names = (try? unsafe namesInDirectory(zeroTerminated(cache + "/sluice"))) ?? []
    for name in names.map({ String(decoding: $0, as: UTF8.self) })
    where name == "sqlite-" + version || name.hasPrefix("sqlite-\(version)-") {
      let path = "\(cache)/sluice/\(name)/bin/speedtest1"
      if unsafe access(zeroTerminated(path), X_OK) == 0 { return path }
    }
    throw .failed(
      "speedtest1: no speedtest1 of SQLite \(version) in \(cache)/sluice: 'Tools/sqlite-suite build'"
        + " gets and builds it, or name one by --speedtest1 PATH")
  }
}
