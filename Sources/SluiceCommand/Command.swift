// A command line: one command, or a program with several subcommands. Help, version and exit codes
// are the same for all programs: 0 done; 1 the answer is no, or it failed; 2 it could not be tried;
// 64 wrong usage.

internal import CSluice

package struct Command: Sendable {
  package typealias Work = @Sendable (_ words: [String]) throws(CommandError) -> Int32

  package let name: String
  /// Empty for a command that only our own programs start: the overview does not show it.
  package let summary: String
  package let help: String
  /// The words that are this command's own. `run` and its like take another program's command line
  /// behind them.
  private let ownWords: @Sendable ([String]) -> [String]
  private let work: Work

  package init(
    name: String, summary: String, help: String,
    ownWords: @escaping @Sendable ([String]) -> [String] = { $0 }, run: @escaping Work
  ) {
    self.name = name
    self.summary = summary
    self.help = help
    self.ownWords = ownWords
    work = run
  }

  /// Runs the command and gives its exit code. `program` has it as a subcommand; nil where the
  /// command is the whole program.
  package func run(_ words: [String], of program: String? = nil) -> Int32 {
    let own = ownWords(words)
    if own.contains("--help") || own.contains("-h") {
      print(help)
      return 0
    }
    do throws(CommandError) {
      return try work(words)
    } catch {
      switch error {
      case .usage(let text):
        let place = program.map { "\($0): \(name)" } ?? name
        let call = program.map { "\($0) \(name)" } ?? name
        printError("\(place): \(text); see '\(call) --help'")
        return 64
      case .failed(let text):
        printError("\(program ?? name): \(text)")
        return 2
      }
    }
  }

  /// Runs the command as a program of its own. `peers` are the subcommands with which the program
  /// starts itself again. `program` is the one as whose subcommand users know it, if there is one.
  package func runAsProgram(
    _ words: [String], peers: [Command] = [], knownIn program: String? = nil
  ) -> Int32 {
    switch words.first {
    case "help": return run(["--help"], of: program)
    case "--version": return printVersion(of: program.map { "\($0)-\(name)" } ?? name)
    default: break
    }
    if let peer = peers.first(where: { $0.name == words.first }) {
      return peer.run(Array(words.dropFirst()), of: name)
    }
    return run(words, of: program)
  }
}

/// A program with subcommands.
package struct Program: Sendable {
  private let name: String
  private let title: String
  private let commands: [Command]

  package init(name: String, title: String, commands: [Command]) {
    self.name = name
    self.title = title
    self.commands = commands
  }

  package func run(_ words: [String]) -> Int32 {
    guard let first = words.first else {
      printError(overview)
      return 64
    }
    switch first {
    case "--help", "-h", "help":
      if words.count > 1, let command = commands.first(where: { $0.name == words[1] }) {
        print(command.help)
      } else {
        print(overview)
      }
      return 0
    case "--version": return printVersion(of: name)
    default:
      guard let command = commands.first(where: { $0.name == first }) else {
        printError("\(name): \(first): no such subcommand; see '\(name) --help'")
        return 64
      }
      return command.run(Array(words.dropFirst()), of: name)
    }
  }

  private var overview: String {
    let rows = commands.filter { !$0.summary.isEmpty }
      .map { "  \($0.name.padded(to: 10))\($0.summary)" }.joined(separator: "\n")
    return """
      \(name): \(title)

      usage: \(name) SUBCOMMAND [OPTION …]

      \(rows)

      '\(name) SUBCOMMAND --help' tells more about each; '\(name) --version' tells the version.
      Exit codes: 0 done, 1 the answer is no, 2 it could not be done, 64 wrong usage.
      """
  }
}

private func printVersion(of program: String) -> Int32 {
  print("\(program) \(sluiceVersion) (protocol \(protocolVersionNumber))")
  return 0
}

/// Writes a line on standard error.
package func printError(_ text: String) { printLine(text, on: 2) }

/// Writes a line with the bytes that the text stands for.
package func printLine(_ text: String, on descriptor: Int32 = 1) {
  let line = bytes(of: text + "\n")
  _ = unsafe write(descriptor, line, line.count)
}
