// How long a WAL becomes where writers follow one another without a gap. A writer begins the WAL anew
// only if all of it was copied into the database when its transaction began.

import Testing

struct WALGrowthTests {
  /// 1,600 transactions write about 40,000 frames, 160 MB, and SQLite copies after each thousand.
  @Test(arguments: ["", "&standing-locks=0"])
  func writersThatStandInLineBeginTheWALAnew(options: String) throws {
    let fixture = try Fixture(sidecar: true)
    try fixture.makeDatabase(fixture.inRoot("app.db"))
    let outcome = try fixture.runPython(
      """
      keeper = proxied("app.db", sys.argv[1])
      keeper.execute("PRAGMA journal_mode=WAL")
      for writer in range(4):
          if os.fork() == 0:
              c = proxied("app.db", sys.argv[1])
              c.execute("PRAGMA busy_timeout=60000")
              for transaction in range(400):
                  c.execute("BEGIN IMMEDIATE")
                  for row in range(20): c.execute("INSERT INTO t VALUES (randomblob(4000))")
                  c.execute("COMMIT")
              os._exit(0)
      print([os.wait()[1] for writer in range(4)])
      size = os.path.getsize(ROOT + "/app.db-wal") >> 20
      print(size < 48 or size)
      print(one(keeper, "SELECT count(*) >= 32000 FROM t"))
      """, arguments: [options])
    outcome.expectLines(["[0, 0, 0, 0]", "True", "1"])
  }
}
