// SluiceServer serves any service: its sources do not speak of what one of the services owns.

import Foundation
import TestSupport
import Testing

@Suite struct ServerKnowsNoFileTests {
  /// Words that belong to the service of files. A word of the sources is one of them when it begins
  /// with a stem, or is an exact word.
  private static let stems = ["file", "lock", "unlock", "lease"]
  private static let exactWords = ["wal"]
  private static let anywhere = ["sqlite"]

  /// Names of the ground (SluiceSystem), of Linux and of Swift, which mean something else.
  private static let groundNames: Set<String> = [
    "FileDescriptor", "SharedDescriptor", "FutexLock", "withLock", "fileprivate",
  ]

  @Test func noSourceNamesWhatAServiceOwns() throws {
    let folder = repositoryFile("Sources/SluiceServer")
    let names = try FileManager.default.subpathsOfDirectory(atPath: folder.path)
      .filter { $0.hasSuffix(".swift") }.sorted()
    #expect(!names.isEmpty)
    for name in names {
      let text = try String(contentsOf: folder.appending(path: name), encoding: .utf8)
      for (number, line) in text.components(separatedBy: "\n").enumerated() {
        let found = Self.namesOfFiles(in: line)
        #expect(found.isEmpty, "\(name):\(number + 1): \(found.joined(separator: ", "))")
      }
    }
  }

  @Test func wordsAreFoundInCodeAndInComments() {
    for line in [
      "let table: FileTable", "// a file's owner", "sharedLock()", "walIndex", "WALIndex",
      "var leaseBreaks = 0", "SQLITE_BUSY", "/// Unlocks it.", "the files", "openSQLiteFile",
    ] {
      #expect(!Self.namesOfFiles(in: line).isEmpty, "\(line)")
    }
    for line in [
      "FileDescriptor", "let state = FutexLock(State())", "state.withLock { $0 }", "Clock.now()",
      "LandlockRuleset", "reactor.release()", "// walks along the wall", "blocked", "profile",
      "fileprivate let a: SharedDescriptor",
    ] {
      #expect(Self.namesOfFiles(in: line).isEmpty, "\(line)")
    }
  }

  /// The identifiers and words of a line that speak of files.
  private static func namesOfFiles(in line: String) -> [String] {
    line.matches(of: /[A-Za-z]+/).map { String($0.output) }.filter { name in
      if groundNames.contains(name) { return false }
      if anywhere.contains(where: name.lowercased().contains) { return true }
      // The parts of a name in camel case: WALIndex is WAL and Index.
      return name.matches(of: /[A-Z]+(?![a-z])|[A-Z]?[a-z]+/).contains { part in
        let word = part.output.lowercased()
        return exactWords.contains(word) || stems.contains(where: word.hasPrefix)
      }
    }
  }
}
