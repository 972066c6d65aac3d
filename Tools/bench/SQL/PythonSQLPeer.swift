// Python, with its own sqlite3 and with our module: the same statements in both.

internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

enum PythonSQLPeer: String {
  case stock = "sqlite3"
  case sluice

  /// Whether Python can import the module.
  func isInstalled(_ modules: String, on bench: Workbench) -> Bool {
    let script = "import sys; sys.path.insert(0, sys.argv[1]); import \(rawValue)"
    return (try? run(script, [modules], on: bench)) != nil
  }

  func measure(_ path: String, _ modules: String, on bench: Workbench) throws(ToolError)
    -> PeerReport
  {
    try PeerReport(parsing: try run(Self.script, [modules, rawValue, path], on: bench))
  }

  private func run(
    _ script: String, _ words: [String], on bench: Workbench
  ) throws(ToolError) -> [UInt8] {
    try bench.runProgram(
      ["/usr/bin/env", "python3", "-c", script] + words, timeoutSeconds: 300)
  }

  /// `executemany` is the batch of both modules.
  private static let script = """
    import importlib, random, sys, time
    sys.path.insert(0, sys.argv[1])
    module = importlib.import_module(sys.argv[2])
    connection = module.connect(sys.argv[3], isolation_level=None)
    for setting in ("PRAGMA synchronous = NORMAL", "PRAGMA cache_size = -65536"):
        connection.execute(setting).close()
    execute = connection.execute
    rng = random.Random(12345)

    def point():
        row = execute("\(SQLWork.pointSQL)", (rng.randint(1, \(SQLWork.rowCount)),)).fetchone()
        assert len(row) == 3

    def insert():
        execute("\(SQLWork.insertSQL)", ("\(SQLWork.insertedName)", 7, 3.5))

    def rows():
        first = rng.randint(1, \(SQLWork.rowCount - SQLWork.fetchedRowCount))
        assert len(execute("\(SQLWork.rowsSQL)", (first,)).fetchall()) == \(SQLWork.fetchedRowCount)

    def batch():
        first = rng.randint(1, \(SQLWork.rowCount - SQLWork.batchCount))
        execute("BEGIN")
        connection.executemany("\(SQLWork.updateSQL)",
                               [(first + k,) for k in range(\(SQLWork.batchCount))])
        execute("COMMIT")

    def measure(name, work, runs):
        samples = []
        for _ in range(\(SQLWork.pieceCount)):
            start = time.perf_counter_ns()
            for _ in range(runs):
                work()
            samples.append((time.perf_counter_ns() - start) // runs)
        print("samples", name, " ".join(map(str, samples)), sep="\\t")

    for _ in range(5000):
        point()
    measure("\(SQLWork.point.rawValue)", point, 100)
    execute("BEGIN")
    measure("\(SQLWork.insert.rawValue)", insert, 100)
    execute("ROLLBACK")
    measure("\(SQLWork.rows.rawValue)", rows, 2)
    measure("\(SQLWork.batch.rawValue)", batch, 2)
    """
}
