// sluice-harness records in short runs: it finds nothing where nothing is wrong, and finds faults made
// on purpose.

import Foundation
import Testing

@Suite(.timeLimit(.minutes(5))) struct RecordsHarnessTests {
  private let fixture: Fixture
  private let directory: URL

  init() throws {
    fixture = try Fixture()
    directory = fixture.directory.appending(path: "harness")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  }

  private func run(_ words: [String]) throws -> Outcome {
    try fixture.start(
      [Fixture.harnessProgram, "records"] + words + ["--directory", directory.path]
    ).wait(within: 180)
  }

  @Test(arguments: [
    ["model", "--operations", "3000"], ["hostile", "--seconds", "5"], ["kill", "--runs", "40"],
    // A part of an import that changes many pages: its savepoint wanted a temporary file.
    ["model", "--operations", "1900", "--sessions", "4", "--seed", "31243857"],
  ])
  func nothingIsFound(_ words: [String]) throws {
    let outcome = try run(words)
    #expect(outcome.ending == .exited(0), "\(outcome.output)\(outcome.errors)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == [])
  }

  @Test(arguments: [
    ["model", "--operations", "5000", "--canary", "model"],
    ["kill", "--runs", "2000", "--canary", "kill"],
  ])
  func aFaultOnPurposeIsFound(_ words: [String]) throws {
    let outcome = try run(words)
    #expect(outcome.ending == .exited(1), "\(outcome.output)\(outcome.errors)")
  }
}
