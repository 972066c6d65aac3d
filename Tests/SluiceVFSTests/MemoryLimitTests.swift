// Programs and sidecars in control groups with little memory. Nothing is killed, and all reads are
// right.

import Foundation
import Testing

@Suite(
  .serialized,
  .enabled(if: LimitedGroup.canLimitMemory, "needs root, and a control group for memory"))
struct MemoryLimitTests {
  /// A database of this many MiB. Each row contains its own number.
  private func makeDatabase(_ fixture: Fixture, _ name: String, mebibytes: Int) throws {
    let made = try fixture.runNative(
      fixture.inRoot(name),
      """
      PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; CREATE TABLE t(i INTEGER PRIMARY KEY, x);
      INSERT INTO t SELECT value, hex(randomblob(7900)) || '-' || value
        FROM generate_series(1, \(mebibytes * 64));
      """)
    try #require(made.ending == .exited(0), "\(made.errors)")
  }

  private let scan = """
    names = sys.argv[2:]
    connections = [proxied(name) for name in names]
    for turn in range(2):
        for c in connections:
            c.execute("PRAGMA cache_size = 100")
            seen = c.execute("SELECT count(*), sum(x LIKE '%-' || i) FROM t").fetchone()
            print(seen == (int(sys.argv[1]), int(sys.argv[1])))
    """

  /// Reads a database of 2.5 times the limit, twice.
  @Test(arguments: [96, 48], ["shared", "private", "--read-window 4096"])
  func scanOfMoreThanTheLimitFinishes(mebibytes: Int, kind: String) throws {
    let fixture = try Fixture()
    let group = fixture.keep(try LimitedGroup(memoryMebibytes: mebibytes))
    try makeDatabase(fixture, "app.db", mebibytes: mebibytes * 5 / 2)
    if kind != "private" {
      let options = kind == "shared" ? [] : kind.split(separator: " ").map(String.init)
      try fixture.startSidecar(options, prefix: group.prefix)
    }
    let outcome = try fixture.runPython(
      scan, arguments: ["\(mebibytes * 5 / 2 * 64)", "app.db"],
      prefix: kind == "private" ? group.prefix : [], within: 120)
    outcome.expectLines(["True", "True"])
    if kind != "private" { #expect(fixture.sidecar?.isRunning == true) }
    #expect(group.sharedMebibytes <= mebibytes / 8 * 7)
  }

  /// The program, its private sidecar, and a window for each database are all in one group.
  @Test func fiveDatabasesOfOneProgramFitTogether() throws {
    let fixture = try Fixture()
    let group = fixture.keep(try LimitedGroup(memoryMebibytes: 96))
    try makeDatabase(fixture, "0.db", mebibytes: 48)
    for number in 1..<5 {
      try FileManager.default.copyItem(
        at: fixture.inRoot("0.db"), to: fixture.inRoot("\(number).db"))
    }
    let outcome = try fixture.runPython(
      scan, arguments: ["\(48 * 64)"] + (0..<5).map { "\($0).db" }, prefix: group.prefix,
      within: 120)
    outcome.expectLines(Array(repeating: "True", count: 10))
  }

  @Test func fourProgramsWithASidecarEachFitTogether() throws {
    let fixture = try Fixture()
    let group = fixture.keep(try LimitedGroup(memoryMebibytes: 96))
    try makeDatabase(fixture, "app.db", mebibytes: 60)
    let programs = try (0..<4).map { number in
      try FileManager.default.copyItem(
        at: fixture.inRoot("app.db"), to: fixture.inRoot("\(number).db"))
      return try fixture.startPython(
        scan, arguments: ["\(60 * 64)", "\(number).db"], prefix: group.prefix)
    }
    for program in programs { try program.wait(within: 120).expectLines(["True", "True"]) }
  }

  /// A reader checks everything that it reads, while another process takes the window's memory.
  @Test(arguments: ["shared", "private"], [0, 1 << 30])
  func windowGivesBackWhatAnotherProcessNeeds(kind: String, mapped: Int) throws {
    let fixture = try Fixture()
    let group = fixture.keep(try LimitedGroup(memoryMebibytes: 96))
    try makeDatabase(fixture, "app.db", mebibytes: 40)
    if kind == "shared" { try fixture.startSidecar(prefix: group.prefix) }
    let reader = try fixture.startPython(
      """
      import random
      c = proxied("app.db")
      c.execute(f"PRAGMA mmap_size = {sys.argv[1]}")
      c.execute("PRAGMA cache_size = 10")
      wrong, count, over = 0, 0, []
      def look(i):
          global wrong, count
          x = c.execute("SELECT x FROM t WHERE i = ?", (i,)).fetchone()[0]
          wrong += not (x.endswith(f"-{i}") and len(x) > 15800)
          count += 1
      for i in range(1, 40 * 64, 2): look(i)
      threading.Thread(target=lambda: over.append(ready("grown")), daemon=True).start()
      while not over: look(random.randrange(1, 40 * 64))
      print(wrong, count > 2000, one(c, "PRAGMA integrity_check"))
      """, arguments: ["\(mapped)"], prefix: group.prefix)
    try reader.awaitLine("grown")
    #expect(eventually { group.sharedMebibytes >= 16 }, "\(group.sharedMebibytes) MiB")
    let grown = group.sharedMebibytes
    let other = try fixture.startPython(
      """
      taken = []
      for _ in range(60):
          taken.append(bytearray(b"x") * (1 << 20))
          time.sleep(0.02)
      ready("taken")
      """, prefix: group.prefix)
    try other.awaitLine("taken")
    #expect(eventually { group.sharedMebibytes < grown - 4 }, "\(group.sharedMebibytes) MiB")
    usleep(300_000)
    #expect(other.isRunning && reader.isRunning)
    other.say("end")
    other.closeInput()
    try other.wait(within: 20).expectSuccess()
    // There is room again, and the window grows into it.
    #expect(eventually { group.sharedMebibytes >= grown - 1 }, "\(group.sharedMebibytes) MiB")
    reader.say("end")
    reader.closeInput()
    let outcome = try reader.wait(within: 60)
    outcome.expectSuccess()
    #expect(outcome.lines.last == "0 True ok", "\(outcome.output) \(outcome.errors)")
  }

  /// A window has room for much more than it holds. A program that locks its memory must not fill
  /// it.
  @Test func programThatLocksItsMemoryHasNoMoreOfTheWindow() throws {
    let fixture = try Fixture()
    try makeDatabase(fixture, "app.db", mebibytes: 4)
    let outcome = try fixture.runPython(
      """
      import ctypes
      MCL_CURRENT, MCL_FUTURE = 1, 2
      if ctypes.CDLL(None).mlockall(MCL_CURRENT | MCL_FUTURE) != 0: print("cannot lock")
      c = proxied("app.db")
      print(one(c, "SELECT sum(x LIKE '%-' || i) FROM t"), has_window())
      with open("/proc/self/smaps") as f: text = f.read()
      part = text[text.index("/memfd:sluice-window"):]
      print(int(part[part.index("Rss:"):].split()[1]) < 16 << 10)
      """)
    outcome.expectLines(["256 True", "True"])
  }

  /// No request reaches the sidecar while memory gets short, or afterwards.
  @Test func idlePrivateSidecarGivesBackToo() throws {
    let fixture = try Fixture()
    let group = fixture.keep(try LimitedGroup(memoryMebibytes: 96))
    try makeDatabase(fixture, "app.db", mebibytes: 40)
    let outcome = try fixture.runPython(
      """
      c = proxied("app.db")
      look = lambda: one(c, "SELECT sum(x LIKE '%-' || i) FROM t")
      print(look())
      taken = []
      for _ in range(64):
          taken.append(bytearray(b"x") * (1 << 20))
          time.sleep(0.02)
      time.sleep(0.5)
      print(look(), len(sidecars()))
      """, prefix: group.prefix)
    outcome.expectLines(["2560", "2560 1"])
  }

  /// After some seconds without a request the sidecar has nothing left to give back, and checks no
  /// more.
  @Test(.enabled(if: Machine.runsLongTests, "waits for long"))
  func idlePrivateSidecarOfATightGroupCostsNothing() throws {
    let fixture = try Fixture()
    let group = fixture.keep(try LimitedGroup(memoryMebibytes: 96))
    try makeDatabase(fixture, "app.db", mebibytes: 40)
    let program = try fixture.startPython(
      """
      c = proxied("app.db")
      look = lambda: one(c, "SELECT sum(x LIKE '%-' || i) FROM t")
      print(look())
      def used():
          with open(f"/proc/{sidecars()[0]}/stat") as f: words = f.read().split()
          return int(words[13]) + int(words[14])
      ready("grown")
      before = used()
      time.sleep(5)
      print(used() - before, look())
      """, prefix: group.prefix)
    try program.awaitLine("grown")
    #expect(group.sharedMebibytes > 16)
    #expect(eventually(within: 30) { group.sharedMebibytes <= 2 }, "\(group.sharedMebibytes) MiB")
    program.say("on")
    program.closeInput()
    let outcome = try program.wait(within: 30)
    #expect(outcome.lines.last == "0 2560", "\(outcome.output) \(outcome.errors)")
  }
}
