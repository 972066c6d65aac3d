// What a sandbox has refused, for the one who started the command: each program, change and
// directory once, the first ten as lines. Names come from programs that may wish to deceive, so
// nothing in them reaches a terminal as a control character.

internal import SluiceCommand

/// A change that a program of the sandbox wanted and did not get.
struct Refusal {
  enum Reason {
    /// The file lies in no writable directory.
    case place
    /// A change of attributes by a program that is not the user, or has not the rights, of the
    /// supervisor.
    case rights
    /// A change that no sandbox allows.
    case always
  }

  let process: String
  let program: String
  /// What the program wanted: "open for writing".
  let change: String
  let directory: String
  let name: String
  let reason: Reason

  var path: String { directory == "/" || name.isEmpty ? directory + name : directory + "/" + name }

  fileprivate var line: String {
    "sluice: run: the sandbox refused \(program) (process \(process)): \(change) \(path)\(remedy)"
  }

  private var remedy: String {
    switch reason {
    case .rights: return "; it has other rights than 'sluice run'"
    case .always: return "; no option allows this"
    case .place:
      let isOfTheKernel = ["/proc", "/sys", "/dev"].contains {
        directory == $0 || directory.hasPrefix($0 + "/")
      }
      return isOfTheKernel || directory == "/" || !directory.hasPrefix("/")
        ? "" : "; allow it with --writable \(directory)"
    }
  }
}

struct RefusalReport {
  private static let lineCountMax = 10
  /// More than these are not told apart.
  private static let keyCountMax = 4096

  private var keys: Set<[String]> = []
  private var lines: [String] = []
  private var leftOut = 0
  private var compiledDirectories: Set<String> = []
  /// Whether something may have been refused that nobody could see.
  var isPartial = false

  mutating func add(_ refusal: Refusal) {
    guard keys.count < RefusalReport.keyCountMax else { return }
    // Python tries this beside each module, and goes on without.
    for part in [refusal.directory, refusal.path] where part.hasSuffix("/__pycache__") {
      compiledDirectories.insert(part)
      return
    }
    guard keys.insert([refusal.program, refusal.change, refusal.directory]).inserted else { return }
    if lines.count < RefusalReport.lineCountMax {
      lines.append(refusal.line)
    } else {
      leftOut += 1
    }
  }

  func tell() {
    for line in lines { printError(printable(line)) }
    if leftOut > 0 {
      printError(
        "sluice: run: the sandbox refused \(leftOut) more changes of other kinds or places")
    }
    if !compiledDirectories.isEmpty {
      printError(
        "sluice: run: the sandbox refused Python's __pycache__ in \(compiledDirectories.count)"
          + " directories; PYTHONDONTWRITEBYTECODE=1 spares the attempts")
    }
    if isPartial {
      printError(
        "sluice: run: the sandbox may have refused more; a program's memory could not be read")
    }
  }

  private func printable(_ text: String) -> String {
    String(
      String.UnicodeScalarView(
        text.unicodeScalars.map {
          $0.value < 0x20 || (0x7f..<0xa0).contains($0.value) || $0.properties.isBidiControl
            ? "?" : $0
        }))
  }
}
