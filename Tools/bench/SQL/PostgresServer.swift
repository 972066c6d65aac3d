// PostgreSQL over its Unix socket, measured by its own pgbench with prepared statements. It commits
// as SQLite does in WAL mode with NORMAL: without waiting for the disk.

internal import Glibc
internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

/// Confined to one thread.
final class PostgresServer {
  private let programs: String
  private let directory: TemporaryDirectory
  private let bench: Workbench
  private var server: MeasuredProcess?

  /// Where initdb, postgres and pgbench are; nil if they are not installed.
  static var installed: String? {
    let parent = "/usr/lib/postgresql"
    let versions = ((try? unsafe namesInDirectory(zeroTerminated(parent))) ?? []).map {
      String(decoding: $0, as: UTF8.self)
    }
    return versions.sorted { (Int($0) ?? 0) > (Int($1) ?? 0) }.map { "\(parent)/\($0)/bin" }
      .first { programs in
        ["initdb", "postgres", "pgbench"].allSatisfy {
          unsafe access(zeroTerminated("\(programs)/\($0)"), X_OK) == 0
        }
      }
  }

  /// Makes a server with the rows. It has to be stopped.
  init(_ programs: String, on bench: Workbench) throws(ToolError) {
    self.programs = programs
    self.bench = bench
    // The server runs as another user if this one is root.
    directory = try TemporaryDirectory(in: "/tmp", owner: "sluice-bench")
    do throws(ToolError) { try start() } catch {
      stop()
      throw error
    }
  }

  private func start() throws(ToolError) {
    if getuid() == 0 {
      guard let user = unsafe getpwnam("postgres"),
        unsafe chown(directory.path, user.pointee.pw_uid, user.pointee.pw_gid) == 0
      else { throw .failed("PostgreSQL does not run as root, and there is no user postgres") }
    }
    try run(["initdb", "-D", "\(directory.path)/data", "-A", "trust", "-U", "postgres", "-N"])
    do throws(Errno) {
      server = try MeasuredProcess(
        command([
          "postgres", "-D", "\(directory.path)/data", "-k", directory.path, "-c",
          "listen_addresses=", "-c", "synchronous_commit=off", "-c", "shared_buffers=128MB", "-c",
          "autovacuum=off", "-c", "logging_collector=off", "-c", "log_min_messages=fatal",
        ]))
    } catch {
      throw .system("postgres", error)
    }
    try fill()
  }

  func stop() {
    server?.stop()
    server = nil
    directory.remove()
  }

  /// Waits for the server, and makes the tables.
  private func fill() throws(ToolError) {
    let sql = """
      CREATE TABLE t(id bigint PRIMARY KEY, name text, qty bigint, price float8);
      CREATE TABLE u(id bigserial PRIMARY KEY, name text, qty bigint, price float8);
      INSERT INTO t SELECT i, 'name of item ' || i, i % 1000, i * 0.25
        FROM generate_series(1, \(SQLWork.rowCount)) i;
      """
    for attempt in 1... {
      do throws(ToolError) {
        try pgbench(sql, transactions: 1, mode: "simple")
        break
      } catch {
        guard attempt < 50 else { throw error }
        try bench.wait.sleep(nanoseconds: 200_000_000)
      }
    }
    try pgbench("VACUUM ANALYZE t;", transactions: 1, mode: "simple")
  }

  // MARK: Measuring

  func measure() throws(ToolError) -> PeerReport {
    let any = "\\set id random(1, \(SQLWork.rowCount))\n"
    let first = "\\set id random(1, \(SQLWork.rowCount - SQLWork.fetchedRowCount))\n"
    let values = "'\(SQLWork.insertedName)', 7, 3.5"
    let inserts = String(
      repeating: "INSERT INTO u(name, qty, price) VALUES (\(values));\n",
      count: Int(SQLWork.batchCount))
    let updates = (0..<SQLWork.batchCount).map {
      "UPDATE t SET qty = qty + 1 WHERE id = :id + \($0);\n"
    }
    var report = PeerReport()
    func add(_ work: SQLWork, _ script: String, _ count: Int, each: Double) throws(ToolError) {
      let rate = try pgbench(script, transactions: count, mode: "prepared")
      report.add(work.rawValue, Samples([Int64(1e9 / rate / each)]))
    }
    try add(
      .point, any + "SELECT name, qty, price FROM t WHERE id = :id;\n", 10_000, each: 1)
    try add(
      .insert, "BEGIN;\n" + inserts + "ROLLBACK;\n", 100, each: Double(SQLWork.batchCount))
    try add(
      .rows, first + "SELECT id, name, qty, price FROM t WHERE id BETWEEN :id AND :id + 999;\n",
      500, each: 1)
    try add(
      .batch, first + "\\startpipeline\nBEGIN;\n" + updates.joined() + "COMMIT;\n\\endpipeline\n",
      200, each: 1)
    return report
  }

  /// Runs a script again and again; how often in a second.
  @discardableResult
  private func pgbench(
    _ script: String, transactions: Int, mode: String
  ) throws(ToolError) -> Double {
    let path = directory.path + "/script"
    do throws(Errno) {
      _ = unsafe unlink(path)
      let file = try unsafe FileDescriptor.open(
        zeroTerminated(path), [.readWrite, .create], permissions: 0o644)
      try unsafe Array(script.utf8).withUnsafeBufferPointer { (bytes) throws(Errno) in
        try unsafe file.write(UnsafeRawBufferPointer(bytes), at: 0)
      }
      _ = unsafe chmod(path, 0o644)
    } catch {
      throw .system(path, error)
    }
    let text = try run([
      "pgbench", "-n", "-M", mode, "-c", "1", "-t", String(transactions), "-f", path, "-h",
      directory.path, "-U", "postgres", "postgres",
    ])
    for line in text.split(separator: "\n") where line.hasPrefix("tps = ") {
      if let rate = line.split(separator: " ").dropFirst(2).first.flatMap({ Double($0) }) {
        return rate
      }
    }
    throw .failed("pgbench: no result; " + text)
  }

  @discardableResult
  private func run(_ words: [String]) throws(ToolError) -> String {
    String(
      decoding: try bench.runProgram(command(words), timeoutSeconds: 120), as: UTF8.self)
  }

  /// The command line of a program of PostgreSQL, for a user that is not root.
  private func command(_ words: [String]) -> [String] {
    let program = [programs + "/" + words[0]] + words.dropFirst()
    guard getuid() == 0 else { return program }
    return [
      "/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--",
    ] + program
  }
}
