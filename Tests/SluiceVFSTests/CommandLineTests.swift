// The command lines of sluice, sluice-harness and sluice-bench: words, answers and exit codes.

import Foundation
import Testing

struct CommandLineTests {
  private func sluice(_ words: String...) throws -> Outcome {
    try Fixture().run([Fixture.program] + words)
  }

  @Test(arguments: [["--help"], ["-h"], ["help"], ["help", "serve"], ["serve", "--help"]])
  func helpGoesToStandardOutput(words: [String]) throws {
    let outcome = try Fixture().run([Fixture.program] + words)
    outcome.expectSuccess()
    #expect(outcome.output.contains("usage: sluice"))
    #expect(outcome.errors.isEmpty)
  }

  @Test func versionNamesProgramAndProtocol() throws {
    let outcome = try sluice("--version")
    outcome.expectSuccess()
    #expect(outcome.output.hasPrefix("sluice "))
    #expect(outcome.output.contains("protocol "))
  }

  @Test(arguments: [
    ([], "usage: sluice"),
    (["frobnicate"], "frobnicate: no such subcommand"),
    (["serve"], "--root DIR is missing"),
    (["serve", "--root", "/tmp"], "--socket PATH is missing"),
    (["serve", "--root"], "--root needs a value"),
    (["serve", "--root", "/tmp", "--socket", "/tmp/s", "--frob"], "--frob: not understood"),
    (["serve", "--root=/tmp", "--socket=/tmp/s", "more"], "more: not understood"),
    (["serve", "--root", "/", "--socket", "s", "--allow-user", "joe"], "takes numbers of users"),
    (["serve", "--root", "/", "--socket", "s", "--allow-user", "1,"], "takes numbers of users"),
    (["serve", "--root", "/", "--socket", "s", "--reactors", "0"], "a number from 1 to 64"),
    (
      ["serve", "--root", "/", "--socket", "s", "--implicit-locks", "soon"],
      "--implicit-locks takes a number"
    ),
    (["stats", "--pid", "x"], "--pid takes a process's number"),
    (["harness", "model"], "harness: no such subcommand"),
    (["bench", "all"], "bench: no such subcommand"),
  ])
  func wrongWordsAreNamed(words: [String], message: String) throws {
    let outcome = try Fixture().run([Fixture.program] + words)
    #expect(outcome.ending == .exited(64), "\(outcome.errors)")
    #expect(outcome.errors.contains(message), "\(outcome.errors)")
    #expect(outcome.output.isEmpty)
  }

  @Test(arguments: [
    ([], "which benchmark?"),
    (["frobnicate"], "frobnicate: no such benchmark"),
    (["txn", "--count", "10"], "--count: not understood"),
    (["vfs", "--count", "few"], "--count takes a number"),
    (["txn", "--seconds", "0"], "--seconds takes a number from 0.01"),
    (["contend", "--writers", "0"], "--writers takes a number"),
    (["select", "--rounds"], "--rounds needs a value"),
    (["all", "--peer", "nfs"], "--peer takes fuse, not nfs"),
    (["peer", "vfs-of-some-kind"], "'sluice-bench' starts this"),
  ])
  func wrongWordsOfTheBenchmarksAreNamed(words: [String], message: String) throws {
    try expectUsageError(Fixture.benchProgram, words, message)
  }

  @Test(arguments: [
    ([], "which mode?"),
    (["frobnicate"], "frobnicate: no such mode"),
    (["model", "--seed", "x"], "--seed takes a number"),
    (["model", "--canary", "yellow"], "--canary takes truncate, pending or close"),
    (["model", "--words", "1"], "--words: not understood"),
    (["hostile", "--ratio-max", "0"], "--ratio-max takes a number above 0"),
    (["hostile", "--handshakes", "few"], "--handshakes takes a number"),
    (["peer", "of-some-kind"], "'sluice-harness' starts this"),
  ])
  func wrongWordsOfTheHarnessAreNamed(words: [String], message: String) throws {
    try expectUsageError(Fixture.harnessProgram, words, message)
  }

  private func expectUsageError(_ program: String, _ words: [String], _ message: String) throws {
    let outcome = try Fixture().run([program] + words)
    let name = try #require(program.split(separator: "/").last)
    #expect(outcome.ending == .exited(64), "\(outcome.errors)")
    #expect(outcome.errors.hasPrefix("\(name): "), "\(outcome.errors)")
    #expect(outcome.errors.contains(message), "\(outcome.errors)")
    #expect(outcome.errors.contains("; see '\(name)"), "\(outcome.errors)")
    #expect(outcome.output.isEmpty)
  }

  @Test(arguments: [Fixture.harnessProgram, Fixture.benchProgram])
  func toolsTellHelpAndVersion(program: String) throws {
    let name = try #require(program.split(separator: "/").last)
    for words in [["--help"], ["-h"], ["help"]] {
      let outcome = try Fixture().run([program] + words)
      outcome.expectSuccess()
      #expect(outcome.output.hasPrefix("usage: \(name) "))
      #expect(outcome.errors.isEmpty)
    }
    let version = try Fixture().run([program, "--version"])
    version.expectSuccess()
    #expect(version.output.hasPrefix("\(name) ") && version.output.contains("protocol "))
  }

  /// The tools serve no files themselves: they need the `sluice` beside them, or another one.
  @Test(arguments: [
    (Fixture.harnessProgram, ["model", "--operations", "1"]), (Fixture.benchProgram, ["channel"]),
  ])
  func toolsNameTheSidecarThatIsMissing(program: String, words: [String]) throws {
    let fixture = try Fixture()
    let copy = fixture.scratch.appending(path: "alone").path
    // Another process writes the copy: a child that another test starts meanwhile would inherit the
    // open file, and a file that is open for writing cannot be executed.
    try fixture.run(["cp", program, copy]).expectSuccess()
    let directory = fixture.scratch.appending(path: "files").path
    let call = [copy] + words + ["--directory", directory]
    let outcome = try fixture.run(call)
    #expect(outcome.ending == .exited(2))
    #expect(
      outcome.errors.contains(
        "\(fixture.scratch.path)/sluice: No such file or directory; name the sidecar's program in"
          + " SLUICE_SIDECAR"), "\(outcome.errors)")
    let named = try fixture.run(call, ["SLUICE_SIDECAR": "/nowhere"])
    #expect(named.ending == .exited(2))
    #expect(
      named.errors.contains("SLUICE_SIDECAR: /nowhere: No such file or directory"),
      "\(named.errors)")
    let left = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    #expect(left == [])
  }

  @Test func privateServeIsNotForPeople() throws {
    let outcome = try sluice("serve", "--private")
    #expect(outcome.ending == .exited(2))
    #expect(outcome.errors.contains("the VFS starts this, not you"))
  }

  @Test func tooLongASocketPathIsNamed() throws {
    let outcome = try sluice(
      "serve", "--root", "/tmp", "--socket", "/tmp/" + String(repeating: "s", count: 200))
    #expect(outcome.ending == .exited(2))
    #expect(outcome.errors.contains("File name too long"))
  }

  @Test func statsShowWholePathsOfASidecarStartedWithRelativeOnes() throws {
    let fixture = try Fixture()
    try fixture.startSidecar(
      script: #"cd "$1"; exec "$0" serve --root ../root --socket ../socket"#)
    let outcome = try fixture.run([Fixture.program, "stats", "--socket", fixture.socket.path])
    outcome.expectSuccess()
    #expect(outcome.output.contains(fixture.root.path + "/../root"), "\(outcome.output)")
    #expect(outcome.output.contains(fixture.root.path + "/../socket"), "\(outcome.output)")
  }

  @Test func statsCountOperationsOfTheRunningSidecar() throws {
    let fixture = try Fixture(sidecar: true)
    try fixture.runPython("proxied('app.db').execute('CREATE TABLE t(x)')").expectSuccess()
    let outcome = try fixture.run([Fixture.program, "stats", "--socket", fixture.socket.path])
    outcome.expectSuccess()
    for word in [fixture.socket.path, fixture.root.path, "sync", "lock", "1 opened"] {
      #expect(outcome.output.contains(word), "\(outcome.output)")
    }
    let none = try fixture.run([Fixture.program, "stats", "--socket", "/nowhere"])
    #expect(none.ending == .exited(1))
  }
}
