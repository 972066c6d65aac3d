// A name means what it means to the program, also if the sidecar serves one directory only.

import Foundation
import Testing

struct NameTests {
  enum Mode: CaseIterable { case run, serve }

  /// The place where the program works, and the sidecar's root as it is named from there.
  struct Spot: Sendable {
    var place = ""
    var served: String
  }

  /// In `root` are `data/app`, the links `link -> data` and `data/current -> …/data/app`, and
  /// links to databases. `outside` has a database.
  private func makePlace() throws -> Fixture {
    let fixture = try Fixture()
    try FileManager.default.createDirectory(
      at: fixture.inRoot("data/app"), withIntermediateDirectories: true)
    try fixture.makeDatabase(fixture.inRoot("data/real.db"))
    try fixture.makeDatabase(fixture.outside.appending(path: "secret.db"))
    let data = fixture.inRoot("data").path
    for (name, target) in [
      ("link", "data"), ("data/current", data + "/app"), ("data/step", "current"),
      ("data/abs.db", data + "/real.db"), ("data/new.db", data + "/app/made.db"),
      ("data/by-link", fixture.inRoot("link/app").path), ("away", data + "/app"),
      ("data/out", fixture.outside.path), ("data/out.db", fixture.outside.path + "/secret.db"),
      ("data/back", data + "/../../outside"), ("data/etc", "/etc"),
    ] {
      try FileManager.default.createSymbolicLink(
        atPath: fixture.inRoot(name).path, withDestinationPath: target)
    }
    return fixture
  }

  /// Runs an unmodified Python program that works in the spot's place.
  private func runProgram(
    _ mode: Mode, _ fixture: Fixture, _ spot: Spot, _ script: String, _ arguments: [String] = []
  ) throws -> Outcome {
    let place = fixture.inRoot(spot.place)
    let environment = ["SLUICE_LIBRARY": Fixture.library, "TMPDIR": fixture.scratch.path]
    var words = ["--root", spot.served]
    var sidecar: ChildProcess?
    if mode == .serve {
      let started = try fixture.start(
        [Fixture.program, "serve", "--socket", fixture.socket.path] + words, in: place)
      #expect(eventually { started.output.contains("serving") }, "\(started.errors)")
      sidecar = started
      words = ["--socket", fixture.socket.path]
    }
    defer { withExtendedLifetime(sidecar) {} }
    let program = [Fixture.pythonProgram, "-c", "import os, sqlite3, sys\n" + script]
    return try fixture.run(
      [Fixture.program, "run"] + words + ["--"] + program + arguments, environment, in: place)
  }

  private static let makesTable = """
    c = sqlite3.connect(sys.argv[1].replace("$PWD", os.getcwd()))
    c.execute("CREATE TABLE made(x)")
    print(c.execute("PRAGMA database_list").fetchone()[2])
    """

  @Test(
    arguments: Mode.allCases,
    [
      (Spot(place: "data/app", served: ".."), "app.db", "data/app/app.db"),
      (Spot(place: "data/app", served: ".."), "./app.db", "data/app/app.db"),
      (Spot(place: "data/app", served: ".."), "..//app.db", "data/app.db"),
      (Spot(place: "data/app", served: ".."), "../none/../app.db", "data/app.db"),
      (Spot(place: "data/app", served: ".."), "/app.db", "data/app.db"),
      (Spot(served: "data"), "data/x.db", "data/x.db"),
      (Spot(served: "data"), "link/app/x.db", "data/app/x.db"),
      (Spot(served: "data"), "away/x.db", "data/app/x.db"),
      (Spot(served: "link"), "$PWD/link/x.db", "data/x.db"),
      (Spot(served: "link"), "$PWD/data/x.db", "data/x.db"),
      (Spot(place: "link", served: "."), "x.db", "data/x.db"),
      (Spot(served: "data"), "$PWD/./data/x.db", "data/x.db"),
      (Spot(served: "data"), "$PWD/../root/data/x.db", "data/x.db"),
      (Spot(served: "data"), "$PWD//data//x.db", "data/x.db"),
      (Spot(served: "data"), "/app/x.db", "data/app/x.db"),
      (Spot(served: "data"), "x.db", "data/x.db"),
      (Spot(place: "data", served: "."), "abs.db", "data/real.db"),
      (Spot(place: "data", served: "."), "new.db", "data/app/made.db"),
      (Spot(place: "data", served: "."), "current/x.db", "data/app/x.db"),
      (Spot(place: "data", served: "."), "step/../current/x.db", "data/app/x.db"),
      (Spot(place: "data", served: "."), "by-link/x.db", "data/app/x.db"),
    ] as [(Spot, String, String)])
  func nameMeansWhatItMeansToTheProgram(
    mode: Mode, example: (spot: Spot, name: String, made: String)
  ) throws {
    let fixture = try makePlace()
    let made = fixture.inRoot(example.made)
    try runProgram(mode, fixture, example.spot, NameTests.makesTable, [example.name])
      .expectLines([made.path])
    #expect(try fixture.nativeAnswer(made, "SELECT count(*) FROM made") == "0")
  }

  /// CPython's own test of relative names, and what programs do after chdir.
  @Test(arguments: Mode.allCases) func relativeNamesFollowTheWorkingDirectory(mode: Mode) throws {
    let fixture = try makePlace()
    let outcome = try runProgram(
      mode, fixture, Spot(place: "data", served: "."),
      """
      def make(name): sqlite3.connect(name).execute("CREATE TABLE made(x)")
      make("one.db")
      os.chdir("app")
      make("two.db"); make("../three.db"); make(os.path.relpath(os.getcwd() + "/four.db"))
      c = sqlite3.connect("file:two.db?mode=rw", uri=True)
      c.execute("ATTACH '../one.db' AS other")
      c.execute("VACUUM INTO 'five.db'")
      # Both files are written in one transaction, so there is a super-journal.
      with c: c.execute("INSERT INTO made VALUES (1)"); c.execute("INSERT INTO other.made VALUES (1)")
      print(sorted(n for n in os.listdir("..") if n in ("one.db", "two.db", "three.db", "five.db")),
            sorted(os.listdir(".")))
      """)
    outcome.expectLines(["['one.db', 'three.db'] ['five.db', 'four.db', 'two.db']"])
  }

  /// From inside the root a name that leads out is refused; it means no file beneath the root.
  @Test(
    arguments: Mode.allCases,
    [
      "../x.db", "../../outside/secret.db", "out/x.db", "out.db", "out/secret.db", "back/secret.db",
      "back/x.db", "etc/x.db", "../away/../../../outside/secret.db",
    ])
  func nameThatLeadsOutIsRefused(mode: Mode, name: String) throws {
    let fixture = try makePlace()
    // What the name would be beneath the root if it began there.
    let inner = fixture.inRoot("data/outside")
    try FileManager.default.createDirectory(at: inner, withIntermediateDirectories: false)
    try fixture.makeDatabase(inner.appending(path: "secret.db"))
    let outcome = try runProgram(
      mode, fixture, Spot(place: "data", served: "."),
      """
      try: print(sqlite3.connect(sys.argv[1]).execute("SELECT count(*) FROM sqlite_master").fetchall())
      except sqlite3.Error: print("refused")
      """, [name])
    outcome.expectLines(["refused"])
    let left = try FileManager.default.contentsOfDirectory(atPath: fixture.outside.path)
    #expect(left == ["secret.db"])
    #expect(!fixture.exists(fixture.inRoot("x.db")))
  }

  @Test(arguments: Mode.allCases) func removedWorkingDirectoryHasNoDatabases(mode: Mode) throws {
    let fixture = try makePlace()
    let outcome = try runProgram(
      mode, fixture, Spot(place: "data", served: "."),
      """
      os.mkdir("gone"); os.chdir("gone"); os.rmdir("../gone")
      for name in ["x.db", "/y.db"]:
          try: sqlite3.connect(name).execute("CREATE TABLE made(x)"); print("made")
          except sqlite3.Error: print("refused")
      """)
    outcome.expectLines(["refused", "made"])
    #expect(!fixture.exists(fixture.inRoot("data/x.db")))
    #expect(fixture.exists(fixture.inRoot("data/y.db")))
  }

  /// xAccess, xDelete and xFullPathname of the VFS itself, as a VFS on top of it calls them.
  @Test(arguments: Mode.allCases) func callsOfTheVFSTakeRelativeNames(mode: Mode) throws {
    let fixture = try makePlace()
    let outcome = try runProgram(
      mode, fixture, Spot(place: "data/app", served: ".."),
      """
      import ctypes
      from ctypes import CFUNCTYPE, POINTER, byref, c_char_p, c_int, c_void_p, create_string_buffer
      class VFS(ctypes.Structure):
          _fields_ = [("version", c_int), ("size", c_int), ("longest", c_int), ("next", c_void_p),
                      ("name", c_char_p), ("data", c_void_p), ("open", c_void_p),
                      ("delete", CFUNCTYPE(c_int, c_void_p, c_char_p, c_int)),
                      ("access", CFUNCTYPE(c_int, c_void_p, c_char_p, c_int, POINTER(c_int))),
                      ("full", CFUNCTYPE(c_int, c_void_p, c_char_p, c_int, c_char_p))]
      c = sqlite3.connect("two.db"); c.execute("CREATE TABLE made(x)"); c.close()
      lib = ctypes.CDLL("libsqlite3.so.0")
      lib.sqlite3_vfs_find.restype = POINTER(VFS)
      vfs = lib.sqlite3_vfs_find(b"sluice").contents
      def call(name):
          there, room = c_int(), create_string_buffer(600)
          name = b"\\0\\0\\0\\0" + name + b"\\0\\0"
          at = ctypes.cast(ctypes.addressof(kept := create_string_buffer(name)) + 4, c_char_p)
          vfs.access(None, at, 0, byref(there))
          vfs.full(None, at, 600, room)
          return there.value, os.path.relpath(room.value.decode(), os.getcwd())
      for name in [b"two.db", b"./two.db", b"../real.db", b"../app//two.db", b"none.db"]: print(*call(name))
      print(vfs.delete(None, b"two.db", 0), os.listdir("."))
      """)
    outcome.expectLines([
      "1 two.db", "1 two.db", "1 ../real.db", "1 two.db", "0 none.db", "0 []",
    ])
  }

  /// In its own mount namespace a client has the root at another place, or another directory at the
  /// root's place. There its names mean nothing on the sidecar's side but what their text says.
  @Test(.enabled(if: Machine.has("unshare", "-m", "true")), arguments: [true, false])
  func clientWithOtherMountsIsServedBeneathTheRoot(hasRootElsewhere: Bool) throws {
    let fixture = try makePlace()
    try fixture.startSidecar()
    let places = [fixture.root.path, fixture.outside.path]
    let script = #"mount --bind "$1" "$2" && cd "$2" && shift 2 && exec "$@""#
    let words =
      ["unshare", "-m", "sh", "-c", script, "sh"] + (hasRootElsewhere ? places : places.reversed())
      + [Fixture.program, "run", "--socket", fixture.socket.path, "--"]
      + [Fixture.sqliteProgram, "app.db", "CREATE TABLE made(x)"]
    try fixture.run(words, ["SLUICE_LIBRARY": Fixture.library]).expectSuccess()
    let made = fixture.inRoot("app.db")
    #expect(try fixture.nativeAnswer(made, "SELECT count(*) FROM made") == "0")
    let left = try FileManager.default.contentsOfDirectory(atPath: fixture.outside.path)
    #expect(left == ["secret.db"])
  }

  /// Where a name means one file to the program and another beneath the root, the log says which
  /// was taken, once.
  @Test func nameWithTwoMeaningsIsLoggedOnce() throws {
    let fixture = try makePlace()
    let app = fixture.inRoot("data/app")
    for name in ["data/app/real.db", "data/app/other.db", "data/other.db"] {
      try fixture.makeDatabase(fixture.inRoot(name), count: name.hasPrefix("data/app") ? 7 : 9)
    }
    let query = "SELECT count(*) FROM t; ATTACH 'other.db' AS o; SELECT count(*) FROM o.t"
    let words = [
      Fixture.program, "run", "--root", "..", "--", Fixture.sqliteProgram, "-batch", "-cmd",
      ".log stderr", "-cmd", ".open real.db", ":memory:", query,
    ]
    let outcome = try fixture.run(
      words, ["SLUICE_LIBRARY": Fixture.library, "TMPDIR": fixture.scratch.path], in: app)
    outcome.expectLines(["7", "7"])
    let said = outcome.errors.split(separator: "\n").filter {
      $0.contains("not the file of that name in the sidecar's root")
    }
    #expect(said.count == 1, "\(outcome.errors)")
    #expect(said.first?.contains("full pathname real.db") == true)
  }

  /// A directory and a link out change places as fast as they can while names lead through them.
  @Test(arguments: Mode.allCases) func nothingOutsideIsReachedWhileLinksAreSwapped(mode: Mode)
    throws
  {
    let fixture = try makePlace()
    let outcome = try runProgram(
      mode, fixture, Spot(place: "data", served: "."),
      """
      import signal, time
      here = os.getcwd()
      os.mkdir("a"); os.symlink(here + "/../../outside", "b"); os.symlink(here + "/a", "inner")
      swapper = os.fork()
      if swapper == 0:
          while True:
              os.rename("a", "c"); os.rename("b", "a"); os.rename("c", "b")
              os.rename("b", "c"); os.rename("a", "b"); os.rename("c", "a")
      made = refused = 0
      end = time.monotonic() + 3
      number = 0
      while time.monotonic() < end:
          for name in ["a/%d.db", "inner/%d.db", here + "/inner/%d.db", "../data/a/%d.db", "/a/%d.db"]:
              number += 1
              try:
                  c = sqlite3.connect(name % number)
                  c.execute("CREATE TABLE made(x)"); c.close()
                  made += 1
              except sqlite3.Error: refused += 1
          try: print(sqlite3.connect("a/secret.db").execute("SELECT count(*) FROM t").fetchall())
          except sqlite3.Error: pass
      os.kill(swapper, signal.SIGKILL); os.wait()
      print(made > 0, refused > 0)
      """)
    outcome.expectLines(["True True"])
    let left = try FileManager.default.contentsOfDirectory(atPath: fixture.outside.path)
    #expect(left == ["secret.db"])
  }
}
