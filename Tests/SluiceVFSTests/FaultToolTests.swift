// Tools/faults in short: the power is cut, and calls fail at which something was wrong once, and
// nothing is found; what is wrong on purpose is found.

import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct FaultToolTests {
  private let fixture: Fixture

  init() throws { fixture = try Fixture() }

  private func run(_ tool: String, _ words: [String]) throws -> Outcome {
    let layer = URL(filePath: Fixture.library).deletingLastPathComponent()
      .appending(path: "libfaults.so").path
    guard FileManager.default.fileExists(atPath: layer) else {
      throw Overdue("no \(layer); run Tools/faults/build")
    }
    return try fixture.run(
      [
        repositoryFile("Tools/faults/\(tool)").path, "--json", "--program", Fixture.program,
        "--library", Fixture.library, "--layer", layer,
      ] + words, within: 500)
  }

  // MARK: Power loss

  @Test func noPowerLossLosesAnythingAcknowledged() throws {
    let outcome = try run("power-loss", ["--states", "1000"])
    print(outcome.output)
    outcome.expectSuccess()
    #expect(outcome.output.contains(#""states": 1000,"#))
  }

  /// With stock SQLite in the sidecar's place too: it is the tool that is tried here.
  @Test(arguments: ["files", "directories"], [[], ["--native"]])
  func ignoredSyncsAreFound(kind: String, words: [String]) throws {
    let finding = fixture.scratch.appending(path: "finding").path
    let outcome = try run(
      "power-loss", ["--states", "1000", "--canary", kind, "--keep", finding] + words)
    #expect(outcome.ending == .exited(1), "\(outcome.output)")
    #expect(outcome.errors.contains("cut after record"), "\(outcome.errors)")
    #expect(FileManager.default.fileExists(atPath: finding + "/record"))
  }

  // MARK: I/O errors

  /// What SQLite is told of a full disk, and of a write that fails, also where the write was posted
  /// and a later call tells of it.
  @Test(arguments: ["ENOSPC", "EIO"])
  func aFailedWriteIsToldAsOne(error: String) throws {
    let words = [
      "--scenario", "comings,modes,rollback", "--call", "pwrite", "--error", error, "--first", "1",
    ]
    let outcome = try run("io-errors", words)
    outcome.expectSuccess()
    #expect(outcome.output.contains(error == "EIO" ? "IOERR_WRITE" : "FULL"), "\(outcome.output)")
  }

  /// Its lease is given back, and an outsider's open does not wait for it.
  @Test func locksThatCannotBeTakenOffAFileKeepNobodyOut() throws {
    let words = ["--scenario", "comings", "--call", "ofd_setlk", "--error", "EIO", "--first", "1"]
    try run("io-errors", words).expectSuccess()
  }

  /// Where the sidecar cannot look whether a journal is there, nobody reads on without it.
  @Test func aJournalThatCannotBeLookedForIsNotAbsent() throws {
    for call in ["fstatat", "openat2"] {
      let outcome = try run(
        "io-errors", ["--scenario", "hot", "--call", call, "--error", "ENOMEM"])
      outcome.expectSuccess()
    }
  }
}
