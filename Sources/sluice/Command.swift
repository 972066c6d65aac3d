// The command line: subcommands, help, exit codes. 0 done; 1 the answer is no, or it failed;
// 2 it could not be tried; 64 the words make no sense.

internal import CSluice

let sluiceVersion = SLUICE_VERSION

struct Command: Sendable {
  let name: String
  let summary: String
  let help: String
  /// Whether another program's command line stands behind its own options.
  var takesCommand = false
  let run: @Sendable ([String]) throws(CommandError) -> Int32

  static let all: [Command] = [
    serveCommand, runCommand, statsCommand, doctorCommand, confinementCommand, benchCommand,
    benchPeerCommand, harnessCommand, harnessPeerCommand,
  ]

  static func run(_ words: [String]) -> Int32 {
    guard let first = words.first else {
      printError(overview)
      return 64
    }
    switch first {
    case "--help", "-h", "help":
      if words.count > 1, let command = all.first(where: { $0.name == words[1] }) {
        print(command.help)
      } else {
        print(overview)
      }
      return 0
    case "--version":
      print("sluice \(sluiceVersion) (protocol \(protocolVersionNumber))")
      return 0
    default:
      guard let command = all.first(where: { $0.name == first }) else {
        printError("sluice: \(first): no such subcommand; see 'sluice --help'")
        return 64
      }
      return command.run(rest: Array(words.dropFirst()))
    }
  }

  private func run(rest: [String]) -> Int32 {
    let own = takesCommand ? splitCommand(rest).own : rest
    if own.contains("--help") || own.contains("-h") {
      print(help)
      return 0
    }
    do throws(CommandError) {
      return try run(rest)
    } catch {
      switch error {
      case .usage(let text):
        printError("sluice: \(name): \(text); see 'sluice \(name) --help'")
        return 64
      case .failed(let text):
        printError("sluice: \(text)")
        return 2
      }
    }
  }

  private static var overview: String {
    let rows = all.filter { !$0.summary.isEmpty }.map { "  \($0.name.padded(to: 10))\($0.summary)" }
      .joined(separator: "\n")
    return """
      sluice: SQLite's files on the other side of shared memory

      usage: sluice SUBCOMMAND [OPTION …]

      \(rows)

      'sluice SUBCOMMAND --help' tells more of each; 'sluice --version' the version.
      Exit codes: 0 done, 1 the answer is no, 2 it could not be done, 64 wrong usage.
      """
  }
}

enum CommandError: Error {
  /// The words on the command line are wrong.
  case usage(String)
  /// What was asked for cannot be done.
  case failed(String)
}

/// Options of one subcommand, taken one by one; what is left over is an error.
struct Options {
  private var words: [String]

  init(_ words: [String]) { self.words = words }

  /// Whether `name` stands there.
  mutating func flag(_ name: String) -> Bool {
    guard let index = words.firstIndex(of: name) else { return false }
    words.remove(at: index)
    return true
  }

  /// The value behind `name`, or after `name=`.
  mutating func value(_ name: String) throws(CommandError) -> String? {
    if let index = words.firstIndex(where: { $0.hasPrefix(name + "=") }) {
      return String(words.remove(at: index).dropFirst(name.count + 1))
    }
    guard let index = words.firstIndex(of: name) else { return nil }
    guard index + 1 < words.count else { throw .usage("\(name) needs a value") }
    let value = words[index + 1]
    words.removeSubrange(index...(index + 1))
    return value
  }

  mutating func number(
    _ name: String, in range: ClosedRange<Int>, or standard: Int
  ) throws(CommandError) -> Int {
    guard let text = try value(name) else { return standard }
    guard let number = Int(text), range.contains(number) else {
      throw .usage("\(name) takes a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// The next word that is no option.
  mutating func word() -> String? {
    guard let first = words.first, !first.hasPrefix("-") else { return nil }
    return words.removeFirst()
  }

  func finish() throws(CommandError) {
    if let word = words.first { throw .usage("\(word): not understood") }
  }
}

/// Writes a line on standard error.
func printError(_ text: String) {
  var line = text + "\n"
  line.withUTF8 { _ = unsafe write(2, $0.baseAddress, $0.count) }
}

extension String {
  func padded(to width: Int) -> String {
    self + String(repeating: " ", count: max(1, width - count))
  }
}
