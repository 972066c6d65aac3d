// `--also`: directories of the host that a sidecar serves beside its root, and what it refuses.

import Foundation
import Testing

struct AlsoTests: AlsoTesting {
  // MARK: Names

  @Test(arguments: [
    ("root/data", "../../outside/made.db", "outside/made.db"),
    ("root/data", "$D/outside/made.db", "outside/made.db"),
    ("root/data", "../out/made.db", "outside/made.db"),
    ("root", "abs/sub/made.db", "outside/sub/made.db"),
    ("root", "out/sub/../made.db", "outside/made.db"),
    ("root", "data/x.db", "outside/x.db"),
    ("root", "abs.db", "outside/x.db"),
    ("root", "new.db", "outside/sub/new.db"),
    ("root", "out/home/made.db", "root/data/made.db"),
    ("root", "out/sub/up/data/made.db", "root/data/made.db"),
    ("root", "out/sub/up/out/made.db", "outside/made.db"),
    ("outside", "made.db", "outside/made.db"),
    ("outside/sub", "../made.db", "outside/made.db"),
    ("outside", "home/made.db", "root/data/made.db"),
    ("outside", "back/app/made.db", "root/data/app/made.db"),
    ("outside", "../root/made.db", "root/made.db"),
    ("outside", "none/../../outside/made.db", "outside/made.db"),
    ("scratch/work", "l/made.db", "outside/made.db"),
    ("scratch/work", "../../outside/made.db", "outside/made.db"),
    ("scratch/work", "$D/scratch/work/l/home/made.db", "root/data/made.db"),
    ("scratch/work", "$D/./outside//made.db", "outside/made.db"),
    // What begins in no directory that is served begins in the root.
    ("scratch/work", "made.db", "root/made.db"),
    ("scratch/work", "/data/made.db", "root/data/made.db"),
    ("outside", "/made.db", "root/made.db"),
  ])
  func nameMeansWhatItMeansToTheProgram(place: String, name: String, made: String) throws {
    let fixture = try makePlace()
    let name = name.replacingOccurrences(of: "$D", with: fixture.directory.path)
    let script = """
      c = sqlite3.connect(sys.argv[1])
      c.execute("CREATE TABLE made(x)")
      print(c.execute("PRAGMA database_list").fetchone()[2])
      """
    let file = fixture.directory.appending(path: made)
    try run(fixture, in: place, also(fixture), python(script, [name])).expectLines([file.path])
    #expect(try fixture.nativeAnswer(file, "SELECT count(*) FROM made") == "0")
  }

  @Test(arguments: [
    ("root", "none/secret.db"), ("root", "out/none/secret.db"), ("root", "out/secret.db"),
    ("root", "../none/secret.db"), ("root", "$D/outside/../none/secret.db"),
    ("root", "out/../none/secret.db"), ("outside", "none/secret.db"), ("outside", "secret.db"),
    ("outside", "../none/secret.db"), ("outside", "sub/../../none/secret.db"),
    ("outside", "$D/outside/none/secret.db"), ("outside", "none/new.db"),
    ("scratch/work", "none/secret.db"), ("scratch/work", "l/none/secret.db"),
    ("scratch/work", "l/secret.db"), ("scratch/work", "$D/none/secret.db"),
    ("scratch/work", "$D/outside2/secret.db"),
  ])
  func whatIsServedByNeitherIsRefused(place: String, name: String) throws {
    let fixture = try makePlace()
    let name = name.replacingOccurrences(of: "$D", with: fixture.directory.path)
    // What a name would be beneath the root if it began there.
    let trap = fixture.inRoot("none2")
    try FileManager.default.createDirectory(at: trap, withIntermediateDirectories: true)
    let outcome = try run(
      fixture, in: place, also(fixture),
      python("print(result(sqlite3.connect(sys.argv[1]).execute, 'SELECT 1 FROM t'))", [name]))
    #expect(outcome.output.isEmpty || outcome.output.hasPrefix("SQLITE_CANTOPEN"))
    let none = fixture.directory.appending(path: "none")
    #expect(try FileManager.default.contentsOfDirectory(atPath: none.path) == ["secret.db"])
  }

  /// A program that works in an also-directory gets no file of the root by a name that leads out.
  @Test func nameThatLeadsOutOfAnAlsoDirectoryMeansNoFileOfTheRoot() throws {
    let fixture = try makePlace()
    try FileManager.default.removeItem(at: fixture.inRoot("none"))
    try FileManager.default.createDirectory(
      at: fixture.inRoot("none"), withIntermediateDirectories: true)
    let outcome = try run(
      fixture, in: "outside", also(fixture),
      python("print(result(lambda: sqlite3.connect('none/y.db').execute('CREATE TABLE t(x)')))"))
    #expect(outcome.output.hasPrefix("SQLITE_CANTOPEN"), "\(outcome.output)\(outcome.errors)")
    #expect(!fixture.exists(fixture.inRoot("none/y.db")))
    #expect(!fixture.exists(fixture.directory.appending(path: "none/y.db")))
  }

  @Test func hostsNameWinsAndTheLogSaysSo() throws {
    let fixture = try makePlace()
    let inner = fixture.root.appending(path: fixture.outside.path)
    try FileManager.default.createDirectory(at: inner, withIntermediateDirectories: true)
    try fixture.makeDatabase(inner.appending(path: "x.db"), count: 99)
    let outcome = try run(
      fixture, in: "scratch", also(fixture),
      [
        Fixture.sqliteProgram, "-batch", "-cmd", ".log stderr", "-cmd",
        ".open \(fixture.outside.path)/x.db", ":memory:", "SELECT count(*) FROM t",
      ])
    outcome.expectLines(["10"])
    #expect(outcome.errors.contains("not the file of that name in the sidecar's root"))
  }

  // MARK: Words

  @Test func directoryMayHaveAnyName() throws {
    let fixture = try makePlace()
    let outcome = try fixture.run(
      [
        "bash", "-c",
        #"""
        B=$'d\xff\xfe'; mkdir "$B" odd:ro odd
        for also in "$B" "$PWD/$B" "--also=$B"; do
          "$0" run --root ../root --also "${also#--also=}" -- sqlite3 "$B/x.db" 'CREATE TABLE IF NOT EXISTS t(x)'
        done
        "$0" run --root ../root --also=odd:ro:rw -- sqlite3 odd:ro/x.db 'CREATE TABLE t(x)'
        "$0" run --root ../root --also odd:ro -- sqlite3 odd/x.db 'CREATE TABLE t(x)' 2>/dev/null
        ls "$B" odd:ro odd | sed "s/^d.*:/d:/"
        "$0" run --also . -- true; echo $?
        "$0" run --root ../root --also none -- true; echo $?
        """#, Fixture.program,
      ], ["SLUICE_LIBRARY": Fixture.library, "TMPDIR": fixture.scratch.path], in: fixture.scratch)
    #expect(
      outcome.lines
        == ["d:", "x.db", "odd:", "odd:ro:", "x.db", "64", "2"],
      "\(outcome.output)\(outcome.errors)")
    #expect(outcome.errors.contains("--also needs --root"))
    #expect(outcome.errors.contains("--also none: No such file or directory"))
  }

  @Test func sidecarSaysWhatItServes() throws {
    let fixture = try makePlace()
    let none = fixture.directory.appending(path: "none").path
    let sidecar = try fixture.startSidecar(also(fixture) + ["--also", none + ":ro"])
    let line =
      "serving \(fixture.root.path); also \(fixture.outside.path); also \(none) (read only) on"
    #expect(sidecar.output.contains(line), "\(sidecar.output)")
    #expect(sidecar.output.components(separatedBy: " is on ").count == 4, "\(sidecar.output)")
  }

  // MARK: Refusals

  @Test(arguments: ["../none/secret.db", "$D/none/secret.db", "none/secret.db", "$D/none/new.db"])
  func refusalNamesTheRootAndWhatToDo(name: String) throws {
    let fixture = try makePlace()
    let name = name.replacingOccurrences(of: "$D", with: fixture.directory.path)
    try fixture.startSidecar()
    let outcome = try fixture.runPython(
      """
      c = proxied("own.db")
      print(result(c.execute, "ATTACH '%s' AS o" % sys.argv[1])[:15])
      print(one(c, "PRAGMA sluice_error"))
      """, ["SLUICE_LOG_FILE": "stderr"], arguments: [name])
    let why = "the path leads out of the sidecar's root directory \(fixture.root.path)"
    let remedy = "use a file beneath the sidecar's root, or serve its directory with --also"
    #expect(outcome.lines.first == "SQLITE_CANTOPEN", "\(outcome.errors)")
    #expect(Array(outcome.lines.suffix(2)) == ["why: \(why)", "remedy: \(remedy)"])
    #expect(outcome.lines.contains { $0.hasPrefix("what: ") && $0.hasSuffix(" \(name)") })
    #expect(outcome.errors.contains("\(why) (code "), "\(outcome.errors)")
    #expect(outcome.errors.contains("; \(remedy)"))
  }

  /// A file that the host has not either is merely absent.
  @Test func absentFileIsNoRefusal() throws {
    let fixture = try makePlace()
    try fixture.startSidecar()
    let outcome = try fixture.runPython(
      """
      for name in ("none.db", "/no/such/x.db", "data/none.db"):
          print(result(lambda: proxied(name, "mode=ro").execute("SELECT 1")))
      """, ["SLUICE_LOG_FILE": "stderr", "SLUICE_LOG": "2"])
    outcome.expectLines(Array(repeating: "SQLITE_CANTOPEN", count: 3))
    #expect(!outcome.errors.contains("leads out"), "\(outcome.errors)")
  }
}
