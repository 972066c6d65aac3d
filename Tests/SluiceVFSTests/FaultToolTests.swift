// A short run of Tools/faults. It cuts the power, and makes calls fail where there was a fault
// once. It finds nothing. It finds the faults that were made on purpose.

import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct FaultToolTests {
  private let fixture: Fixture

  init() throws { fixture = try Fixture() }

  private func run(_ tool: String, _ words: [String]) throws -> Outcome {
    let layer = try Fixture.faultLayer()
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

  /// Also with stock SQLite in the sidecar's place, because this tests the tool.
  @Test(arguments: ["files", "directories"], [[], ["--native"]])
  func ignoredSyncsAreFound(kind: String, words: [String]) throws {
    let finding = fixture.scratch.appending(path: "finding").path
    let outcome = try run(
      "power-loss", ["--states", "1000", "--canary", kind, "--keep", finding] + words)
    #expect(outcome.ending == .exited(1), "\(outcome.output)")
    #expect(outcome.errors.contains("cut after record"), "\(outcome.errors)")
    #expect(FileManager.default.fileExists(atPath: finding + "/record"))
  }

  /// Eight writers share a database, and readers note what they are shown. In the second kind some
  /// syncs fail, and later ones do not make good for them.
  @Test(arguments: ["WAL+group", "WAL+group+failing"])
  func noPowerLossLosesAnythingShown(kind: String) throws {
    let outcome = try run("power-loss", ["--states", "500", "--modes", kind])
    print(outcome.output)
    outcome.expectSuccess()
  }

  /// A COMMIT that does not wait for its sync, one that is not told that it failed, and a reader that
  /// is shown what is not committed.
  @Test(arguments: ["late", "unheeded", "shown"], [[], ["--native"]])
  func promisesThatAreNotKeptAreFound(kind: String, words: [String]) throws {
    let finding = fixture.scratch.appending(path: "finding").path
    let outcome = try run(
      "power-loss",
      ["--states", "500", "--modes", "WAL+group", "--canary", kind, "--keep", finding] + words)
    #expect(outcome.ending == .exited(1), "\(outcome.output)")
    #expect(outcome.errors.contains("cut after record"), "\(outcome.errors)")
    if kind == "shown" {
      #expect(outcome.errors.contains("was shown, it is as after"), "\(outcome.errors)")
    }
  }

  // MARK: I/O errors

  /// One sync that fails may be the sync of several commits.
  @Test func noCommitIsAcknowledgedWhoseSyncFails() throws {
    let words = ["--scenario", "group", "--error", "EIO,ENOSPC", "--sample", "20"]
    try run("io-errors", words).expectSuccess()
  }

  /// A writer is alone, so it is promised nothing. Its frames are whole in the WAL, and the kernel has
  /// dropped them. The writer dies, so the next connection reads the whole WAL, and must not find them.
  @Test func aCommitWhoseSyncFailsIsNotFoundInTheWAL() throws {
    let tools = try fixture.startFailingSidecar()
    try fixture.makeDatabase(fixture.inRoot("app.db"))
    let outcome = try fixture.runPython(
      tools + """
        import signal
        control = Control(path)
        a = Peer("proxied", "app.db")
        for sql in ("PRAGMA journal_mode=WAL", "INSERT INTO t VALUES (1001)"): a(sql)
        control.prepare(Fault("fdatasync", "EIO", 1, 1)); control.arm(1)
        print(a("INSERT INTO t VALUES (1002)"))
        print(control.failed_count); control.arm(0)
        a.kill()
        c = proxied("app.db"); c.execute("PRAGMA busy_timeout=10000"); c.execute("PRAGMA synchronous=FULL")
        c.execute("INSERT INTO t VALUES (1003)")
        print(c.execute("SELECT x FROM t WHERE x > 1000 ORDER BY x").fetchall())
        """)
    outcome.expectLines(["SQLITE_IOERR_FSYNC", "1", "[(1001,), (1003,)]"])
  }

  /// SQLite gets the right error for a full disk and for a write that fails, also if the write was
  /// posted and a later call reports it.
  @Test(arguments: ["ENOSPC", "EIO"])
  func aFailedWriteIsToldAsOne(error: String) throws {
    let words = [
      "--scenario", "comings,modes,rollback", "--call", "pwrite", "--error", error, "--first", "1",
    ]
    let outcome = try run("io-errors", words)
    outcome.expectSuccess()
    #expect(outcome.output.contains(error == "EIO" ? "IOERR_WRITE" : "FULL"), "\(outcome.output)")
  }

  /// The sidecar gives its lease back, and an outsider's open does not wait for it.
  @Test func locksThatCannotBeTakenOffAFileKeepNobodyOut() throws {
    let words = ["--scenario", "comings", "--call", "ofd_setlk", "--error", "EIO", "--first", "1"]
    try run("io-errors", words).expectSuccess()
  }

  /// If the sidecar cannot check whether a journal exists, no client continues to read without it.
  @Test func aJournalThatCannotBeLookedForIsNotAbsent() throws {
    for call in ["fstatat", "openat2"] {
      let outcome = try run(
        "io-errors", ["--scenario", "hot", "--call", call, "--error", "ENOMEM"])
      outcome.expectSuccess()
    }
  }

  /// A database whose own numbers cannot be asked for is not one that was moved.
  @Test func aFileThatCannotBeAskedForHasNotMoved() throws {
    let words = ["--scenario", "modes", "--call", "fstat", "--error", "ENOMEM"]
    try run("io-errors", words).expectSuccess()
  }
}

extension Fixture {
  /// The layer between a sidecar and libc.
  static func faultLayer() throws -> String {
    let layer = URL(filePath: library).deletingLastPathComponent().appending(path: "libfaults.so")
      .path
    guard FileManager.default.fileExists(atPath: layer) else {
      throw Overdue("no \(layer); run Tools/faults/build")
    }
    return layer
  }

  /// Starts a sidecar whose system calls can be made to fail. Returns how a Python script begins that
  /// does so: with `Control`, `Fault`, and the `path` of the control.
  func startFailingSidecar(_ options: [String] = []) throws -> String {
    let control = scratch.appending(path: "control").path
    let tools = """
      sys.path.insert(0, \(String(reflecting: repositoryFile("Tools/faults").path)))
      from fault_run import Control, Fault
      path = \(String(reflecting: control))

      """
    _ = try runPython(tools + "Control(path)")
    try startSidecar(
      options,
      prefix: ["env", "LD_PRELOAD=\(try Fixture.faultLayer())", "SLUICE_FAULTS_FAIL=\(control)"])
    return tools
  }
}
