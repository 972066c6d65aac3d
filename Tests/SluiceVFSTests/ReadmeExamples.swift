// The examples of the README's section "How to use it", as the reader sees them.

import Foundation
import Testing
import TestSupport

struct ReadmeExample {
  /// What stands behind the opening fence: `python`, `swift`, or nothing for a terminal.
  var language: String
  var lines: [String]

  /// What a reader types behind a prompt such as `$ `.
  func typed(after prompt: String) -> [String] {
    lines.filter { $0.hasPrefix(prompt) }.map { String($0.dropFirst(prompt.count)) }
  }

  static func all() throws -> [ReadmeExample] {
    let text = try String(contentsOf: repositoryFile("README.md"), encoding: .utf8)
    var examples: [ReadmeExample] = []
    var isInSection = false
    var open: ReadmeExample?
    for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
      if line.hasPrefix("## ") { isInSection = line == "## How to use it" }
      guard isInSection else { continue }
      if line.hasPrefix("```") {
        if let closed = open { examples.append(closed) }
        open =
          open == nil ? ReadmeExample(language: String(line.dropFirst(3)), lines: []) : nil
      } else {
        open?.lines.append(line)
      }
    }
    return examples
  }
}
