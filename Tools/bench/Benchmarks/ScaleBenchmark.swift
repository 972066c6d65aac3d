// sluice-bench scale: point reads in a large database, many databases open in one program, and many
// connections to one database.

internal import CSQLite
internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

struct ScaleBenchmark: Benchmark {
  static let name = "scale"
  static let options: Set<String> = ["--gigabytes", "--databases", "--connections", "--seconds"]

  /// Each row of the large database has a page of its own.
  private static let rowsInGigabyte = 1 << 18
  private static let readsOfEach = 5

  private let seconds: Double
  private let gigabytes: Double
  private let databases: Int
  private let connections: Int

  init(_ parameters: BenchmarkParameters, on bench: Workbench) {
    seconds = parameters.seconds ?? 1
    gigabytes = parameters.gigabytes ?? 2
    databases = parameters.databases
    connections = parameters.connections
  }

  /// Which rows of the large database are read.
  private enum Part: String, CaseIterable {
    case hot = "80 MB of it, all read before"
    case firstPass = "1 GB of it, each row once"
    case all = "all of it, any row"

    var subject: String { "point SELECT, " + rawValue }

    /// The number of rows from the first.
    func rowCount(of rows: Int) -> Int {
      switch self {
      case .hot: min(rows, ScaleBenchmark.rowsInGigabyte * 80 / 1024)
      case .firstPass: min(rows, ScaleBenchmark.rowsInGigabyte)
      case .all: rows
      }
    }
  }

  /// Many connections of one program.
  private struct Crowd {
    let name: String
    let names: [String]
    let connections: Int
    var open: String { name + ": open and read a row" }
    var read: String { name + ": read a row of each in turn" }
  }

  func run(on bench: Workbench) throws(ToolError) -> BenchmarkReport {
    let base = Variant.stock.name
    var report = BenchmarkReport(
      ScaleBenchmark.name,
      "a database of \(gigabytes.short) GB, \(databases) databases, and \(connections) connections"
        + " to one database",
      rounds: bench.rounds, order: bench.variants.map(\.name))
    report.notes = [
      "each row of the large database has a page of 4 KiB; it is in the kernel's cache as far as that"
        + " has room, and the program is new, with a private sidecar; each SELECT is a transaction"
    ]
    let large = bench.freshName()
    defer { bench.remove(large) }
    let rows = max(1, Int(gigabytes * Double(ScaleBenchmark.rowsInGigabyte)))
    _ = try bench.runPeer(
      "scale-fill", bench.target(large, .stock), ["--rows", String(rows)], timeoutSeconds: 3600)

    var small: [String] = []
    defer { for name in small { bench.remove(name) } }
    for _ in 0..<databases {
      small.append(
        try bench.makeDatabase(
          journal: "DELETE",
          ["CREATE TABLE item(id INTEGER PRIMARY KEY, value)", "INSERT INTO item VALUES(1, 1)"]))
    }
    let shared = try bench.makeDatabase(journal: "WAL", StatementPeer.schema)
    defer { bench.remove(shared) }
    let crowds = [
      Crowd(name: "\(databases) databases", names: small, connections: 1),
      Crowd(
        name: "\(connections) connections to one", names: [shared], connections: connections),
    ]

    for part in Part.allCases {
      report.declare(part.subject, .perSecond, .more, base: base, highlight: .all)
    }
    for crowd in crowds {
      report.declare(crowd.open, .nanoseconds, .less, base: base, highlight: .all)
      report.declare(crowd.read, .nanoseconds, .less, base: base, highlight: .all)
    }
    report.notes += try bench.interleave(
      ScaleBenchmark.name, Part.allCases.map { ($0.subject, $0) }, bench.variants
    ) { (part, variant) throws(ToolError) in
      let found = try bench.runPeer(
        "scale-read", bench.target(large, variant),
        [
          "--part", part.rawValue, "--rows", String(part.rowCount(of: rows)), "--seconds",
          "\(seconds)",
        ])
      let times = try found.samples("time")
      report.add(
        Double(times.nanoseconds.count) / times.totalSeconds, times, of: variant.name,
        to: part.subject)
    }
    report.notes += try bench.interleave(
      ScaleBenchmark.name, crowds.map { ($0.name, $0) }, bench.variants
    ) { (crowd, variant) throws(ToolError) in
      let others = crowd.names.dropFirst().flatMap {
        ["--also", bench.target($0, variant).path]
      }
      let found = try bench.runPeer(
        "scale-crowd", bench.target(crowd.names[0], variant),
        ["--connections", String(crowd.connections)] + others)
      report.add(try found.samples("open"), of: variant.name, to: crowd.open)
      report.add(try found.samples("read"), of: variant.name, to: crowd.read)
    }
    return report
  }
}

// MARK: The measured processes

extension ScaleBenchmark {
  /// Makes the large database. It is a process only so that it can be interrupted.
  static func fill(_ options: inout Options) throws(ToolError) -> PeerReport {
    var target = Target(path: "")
    var rows = 0
    try BenchPeer.parse { () throws(CommandError) in
      target = try Target(&options)
      rows = try options.number("--rows", in: 1...Int.max, or: 1)
      try options.finish()
    }
    BenchPeer.awaitStart()
    let connection = try SQLiteConnection(try SQLiteLibrary(), target)
    for sql in [
      "CREATE TABLE item(id INTEGER PRIMARY KEY, value INTEGER, filler BLOB)",
      """
      WITH RECURSIVE number(n) AS (VALUES(1) UNION ALL SELECT n + 1 FROM number WHERE n < \(rows))
      INSERT INTO item SELECT n, n, zeroblob(3000) FROM number
      """,
    ] { try connection.execute(sql) }
    return PeerReport()
  }

  /// Reports how long each SELECT took (`time`).
  static func read(_ options: inout Options) throws(ToolError) -> PeerReport {
    var target = Target(path: "")
    var part = Part.all
    var rows = 0
    var seconds = 0.0
    try BenchPeer.parse { () throws(CommandError) in
      target = try Target(&options)
      part = try options.value("--part").flatMap(Part.init) ?? .all
      rows = try options.number("--rows", in: 1...Int.max, or: 1)
      seconds = try options.value("--seconds").flatMap { Double($0) } ?? 0
      try options.finish()
    }
    let connection = try SQLiteConnection(try SQLiteLibrary(), target)
    let statement = try connection.prepare(StatementPeer.Work.select.sql)
    var random = SplitMix64(seed: 0)
    func select(_ id: Int) throws(ToolError) {
      statement.bind(Int64(id))
      guard statement.step() == SQLITE_ROW else { throw .failed("SELECT: \(connection.message)") }
      statement.reset()
    }
    var report = PeerReport()
    if part == .firstPass {
      var ids = Array(1...rows)
      for index in ids.indices { ids.swapAt(index, random.below(index + 1)) }
      BenchPeer.awaitStart()
      report.add(
        "time",
        try BenchPeer.repeated(count: rows) { (index) throws(ToolError) in try select(ids[index]) })
    } else {
      if part == .hot { for id in 1...rows { try select(id) } }
      BenchPeer.awaitStart()
      report.add(
        "time",
        try BenchPeer.repeated(seconds: seconds) { () throws(ToolError) in
          try select(1 + random.below(rows))
        })
    }
    return report
  }

  /// Reports how long it took to open each connection and to read a row (`open`), and to read it once
  /// more while all are open (`read`).
  static func crowd(_ options: inout Options) throws(ToolError) -> PeerReport {
    var target = Target(path: "")
    var connections = 1
    var others: [String] = []
    try BenchPeer.parse { () throws(CommandError) in
      target = try Target(&options)
      connections = try options.number("--connections", in: 1...10_000, or: 1)
      others = try options.values("--also")
      try options.finish()
    }
    let sqlite = try SQLiteLibrary()
    if let library = target.library { try sqlite.loadVFS(library) }
    var names: [String] = []
    for path in [target.path] + others {
      target.path = path
      names += Array(repeating: target.uri, count: connections)
    }
    BenchPeer.awaitStart()

    var open: [(connection: SQLiteConnection, statement: SQLiteStatement)] = []
    open.reserveCapacity(names.count)
    func read(_ index: Int) throws(ToolError) {
      let (connection, statement) = open[index]
      statement.bind(1)
      guard statement.step() == SQLITE_ROW else { throw .failed("SELECT: \(connection.message)") }
      statement.reset()
    }
    var report = PeerReport()
    report.add(
      "open",
      try BenchPeer.repeated(count: names.count) { (index) throws(ToolError) in
        let connection = try SQLiteConnection(sqlite, name: names[index], vfs: target.vfs)
        open.append((connection, try connection.prepare(StatementPeer.Work.select.sql)))
        try read(index)
      })
    report.add(
      "read",
      try BenchPeer.repeated(count: names.count * readsOfEach) { (index) throws(ToolError) in
        try read(index % names.count)
      })
    return report
  }
}
