// The machine on which a benchmark ran, and when.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem

struct Machine {
  let processor: String
  let processors: Int
  let kernel: String
  /// Of the directory with the databases.
  let fileSystem: String
  let sqlite: String
  /// When the benchmark began, as 2026-01-31 12:34 UTC.
  let date: String

  init(directory: String, sqlite: String) {
    let cpu = textOfFile("/proc/cpuinfo") ?? ""
    let model = cpu.split(separator: "\n").first { $0.hasPrefix("model name") }
    processor =
      model?.split(separator: ":", maxSplits: 1).last.map { String($0.drop { $0 == " " }) }
      ?? "processor of unknown name"
    processors = processorCount
    kernel =
      "Linux "
      + (textOfFile("/proc/sys/kernel/osrelease")?.split(separator: "\n").first ?? "of some kind")
    fileSystem = Machine.fileSystem(of: directory)
    self.sqlite = sqlite
    date = Machine.date(Clock.realtimeMilliseconds() / 1000)
  }

  init(
    processor: String, processors: Int, kernel: String, fileSystem: String, sqlite: String,
    date: String
  ) {
    self.processor = processor
    self.processors = processors
    self.kernel = kernel
    self.fileSystem = fileSystem
    self.sqlite = sqlite
    self.date = date
  }

  /// Whether all but the date is the same.
  func isSameMachine(as other: Machine) -> Bool {
    (processor, processors, kernel, fileSystem, sqlite)
      == (other.processor, other.processors, other.kernel, other.fileSystem, other.sqlite)
  }

  var line: String {
    "\(processor), \(processors) processor\(processors == 1 ? "" : "s"), \(kernel), \(fileSystem), "
      + "SQLite \(sqlite), \(date)"
  }

  var json: JSON {
    .object([
      ("processor", .text(processor)), ("processors", .integer(Int64(processors))),
      ("kernel", .text(kernel)), ("file_system", .text(fileSystem)), ("sqlite", .text(sqlite)),
      ("date", .text(date)),
    ])
  }

  /// The type of the file system that is mounted at the longest part of `path`, which must be a
  /// real path.
  private static func fileSystem(of path: String) -> String {
    var found = (length: -1, type: "unknown")
    for line in (textOfFile("/proc/self/mounts") ?? "").split(separator: "\n") {
      let words = line.split(separator: " ")
      guard words.count > 2 else { continue }
      let point = words[1] == "/" ? "" : words[1]
      // Of several file systems at one point, the last one mounted is the visible one.
      if path == point || path.hasPrefix(point + "/"), point.count >= found.length {
        found = (point.count, String(words[2]))
      }
    }
    return found.type
  }

  private static func date(_ seconds: Int64) -> String {
    var seconds = time_t(seconds)
    var parts = unsafe tm()
    unsafe gmtime_r(&seconds, &parts)
    func two(_ number: Int32) -> String { (number < 10 ? "0" : "") + String(number) }
    return unsafe "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday)) "
      + "\(two(parts.tm_hour)):\(two(parts.tm_min)) UTC"
  }
}
