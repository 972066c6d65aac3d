// Makes the database, starts the workers, waits for them, and checks that everything is there.

import Foundation

struct Coordinator {
  private let arguments: Arguments

  init(_ arguments: Arguments) { self.arguments = arguments }

  func run() -> Int32 {
    do {
      return try runThrowing() ? 0 : 1
    } catch {
      print("stress: \(error)")
      return 2
    }
  }

  private func runThrowing() throws -> Bool {
    let root = arguments.text("root")
    let file = "\(root)/stress.db"
    let seed = arguments.number("seed", or: Int(Date().timeIntervalSince1970))
    let seconds = arguments.number("seconds", or: 30)
    let processes = arguments.number("processes", or: 3)
    let natives = arguments.number("native", or: 1)
    for suffix in ["", "-journal", "-wal", "-shm"] {
      try? FileManager.default.removeItem(atPath: file + suffix)
    }
    let native = try Connection(file, extension: nil)
    try native.execute("PRAGMA journal_mode = \(arguments.text("journal", or: "DELETE"))")
    try native.execute("CREATE TABLE work(id INTEGER PRIMARY KEY, value INTEGER, filler TEXT)")
    try Accounts.create(native)
    let readers = arguments.number("readers", or: 0)
    print(
      "stress: seed \(seed), \(seconds) s, \(processes) proxied and \(natives) native processes, "
        + "\(readers) proxied readers")
    let socket = arguments.text("socket")
    var workers: [Started] = []
    for number in 0..<processes + natives + readers {
      let isNative = (processes..<processes + natives).contains(number)
      workers.append(
        try start(
          number, database: isNative ? file : "file:stress.db?vfs=sluice&socket=\(socket)",
          isProxied: !isNative, isReader: number >= processes + natives, seed: seed))
    }
    var isGood = true
    var expected: [String: String] = [:]
    for worker in workers {
      let output = String(decoding: worker.output.readDataToEndOfFile(), as: UTF8.self)
      worker.process.waitUntilExit()
      if worker.process.terminationStatus != 0 { isGood = false }
      isGood = take(output, from: worker, into: &expected) && isGood
    }
    return try check(native, expected) && isGood
  }

  private struct Started {
    var name: String
    var process: Process
    var output: FileHandle
  }

  private func start(
    _ number: Int, database: String, isProxied: Bool, isReader: Bool, seed: Int
  ) throws -> Started {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
    process.arguments =
      [
        "--worker", "\(number)", "--database", database, "--seed", "\(seed)", "--seconds",
        arguments.text("seconds", or: "30"), "--connections",
        arguments.text("connections", or: "4"),
      ] + (isProxied ? ["--extension", arguments.text("extension")] : [])
      + (isReader ? ["--reader"] : [])
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    return Started(
      name: (isProxied ? "proxied" : "native") + (isReader ? " reader" : "") + " \(number)",
      process: process,
      output: pipe.fileHandleForReading)
  }

  private func take(
    _ output: String, from worker: Started, into expected: inout [String: String]
  ) -> Bool {
    var isGood = true
    var transactions = 0
    var busy = 0
    for line in output.split(separator: "\n") {
      let words = line.split(separator: " ").map(String.init)
      switch words[0] {
      case "row": expected[words[1]] = words[2]
      case "done":
        transactions += Int(words[1])!
        busy += Int(words[2])!
      default:
        print("stress: \(worker.name): \(line)")
        isGood = false
      }
    }
    print("stress: \(worker.name): \(transactions) transactions, \(busy) times busy")
    return isGood && transactions > 0
  }

  private func check(_ native: Connection, _ expected: [String: String]) throws -> Bool {
    native.setBusyTimeout(milliseconds: 5000)
    let integrity = try native.rows("PRAGMA integrity_check").map { $0[0] }.joined(separator: "; ")
    var missing = expected
    var wrong = 0
    for row in try native.rows("SELECT id, value FROM work") {
      if missing.removeValue(forKey: row[0]) != row[1] { wrong += 1 }
    }
    print(
      "stress: \(expected.count) rows expected, \(missing.count) missing, \(wrong) wrong, "
        + "integrity_check \(integrity)")
    try Accounts.check(native)
    return missing.isEmpty && wrong == 0 && integrity == "ok"
  }
}
