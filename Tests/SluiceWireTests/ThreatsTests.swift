// Protocol/THREATS.md and README.md name the tests that show their promises. These tests exist.

import Foundation
import TestSupport
import Testing

@Suite struct ThreatsTests {
  @Test(arguments: [("Protocol/THREATS.md", 30), ("README.md", 5)])
  func everyTestThatIsNamedExists(page: String, countMinimum: Int) throws {
    let text = try String(contentsOf: repositoryFile(page), encoding: .utf8)
    let names = text.matches(of: /`([A-Za-z]+Tests)(?:\.([A-Za-z]+))?`/)
    #expect(names.count > countMinimum, "the page names many tests")
    let sources = try sourcesOfSuites()
    for name in names {
      let suite = String(name.1)
      let declarations = try #require(sources[suite], "no suite \(suite)")
      if let test = name.2 {
        #expect(declarations.contains("func \(test)("), "no test \(suite).\(test)")
      }
    }
  }

  @Test func everyPromiseIsShownBySomething() throws {
    let text = try String(contentsOf: repositoryFile("Protocol/THREATS.md"), encoding: .utf8)
    let rows = text.split(separator: "\n").filter { $0.hasPrefix("| ") }
      .filter { !$0.hasPrefix("| promise") && !$0.hasPrefix("| ---") }
    #expect(rows.count > 20)
    for row in rows { #expect(row.contains("Tests"), "\(row)") }
  }

  /// The text of the files named after each suite. Two targets may have a suite of the same name.
  private func sourcesOfSuites() throws -> [String: String] {
    let tests = repositoryFile("Tests")
    var sources: [String: String] = [:]
    for name in try FileManager.default.subpathsOfDirectory(atPath: tests.path)
    where name.hasSuffix("Tests.swift") {
      let file = tests.appending(path: name)
      let suite = file.deletingPathExtension().lastPathComponent
      sources[suite, default: ""] += try String(contentsOf: file, encoding: .utf8)
    }
    return sources
  }
}
