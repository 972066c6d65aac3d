// One process of the stress test. It has some connections, each with its own thread. A connection
// changes its own rows of a common table and records the acknowledged changes.

import Foundation
import Synchronization

struct Worker {
  private let arguments: Arguments

  init(_ arguments: Arguments) { self.arguments = arguments }

  /// Prints, for each row that must be there at the end, `row ID VALUE`, then `done COUNT BUSY`, or
  /// `error TEXT`.
  func run() -> Int32 {
    let connectionCount = arguments.number("connections", or: 4)
    let worker = arguments.number("worker", or: 0)
    let seed = UInt64(arguments.number("seed", or: 1))
    let results = Mutex<[String]>([])
    let failures = Atomic<Int>(0)
    // Each has its own thread, because concurrentPerform would run only as many at a time as there
    // are cores.
    let working = DispatchGroup()
    for index in 0..<connectionCount {
      working.enter()
      Thread.detachNewThread { [arguments] in
        let lane = Lane(
          number: worker * 100 + index, database: arguments.text("database"),
          library: arguments.has("extension") ? arguments.text("extension") : nil,
          seconds: Double(arguments.number("seconds", or: 30)),
          random: Random(seed: seed &* 1000 &+ UInt64(worker * 100 + index)))
        do {
          let lines = try arguments.has("reader") ? lane.read() : lane.run()
          results.withLock { $0 += lines }
        } catch {
          failures.add(1, ordering: .relaxed)
          results.withLock { $0.append("error lane \(lane.number): \(error)") }
        }
        working.leave()
      }
    }
    working.wait()
    print(results.withLock { $0.joined(separator: "\n") })
    return failures.load(ordering: .relaxed) == 0 ? 0 : 1
  }
}

/// SplitMix64: small, and the same everywhere for the same seed.
struct Random: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

/// One connection's work. Its rows have their own ids, so that it knows which rows must be there.
private final class Lane {
  let number: Int
  private let database: String
  private let library: String?
  private let seconds: Double
  private var random: Random
  private var rows: [Int: Int] = [:]
  private var sequence = 0
  private var doneCount = 0
  private var busyCount = 0

  init(number: Int, database: String, library: String?, seconds: Double, random: Random) {
    self.number = number
    self.database = database
    self.library = library
    self.seconds = seconds
    self.random = random
  }

  func run() throws -> [String] {
    let connection = try Connection(database, extension: library)
    connection.setBusyTimeout(milliseconds: 2000)
    let end = Date().addingTimeInterval(seconds)
    while Date() < end {
      var next = rows
      do {
        try transaction(connection, &next)
        rows = next
        doneCount += 1
        if Int.random(in: 0..<100, using: &random) == 0 {
          let kind = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"].randomElement(using: &random)!
          try connection.execute("PRAGMA wal_checkpoint(\(kind))")
        }
      } catch let error as SQLiteError where error.isBusy {
        busyCount += 1
        if connection.isInTransaction { try connection.execute("ROLLBACK") }
      }
    }
    return rows.map { "row \($0.key) \($0.value)" } + ["done \(doneCount) \(busyCount)"]
  }

  /// Reads the accounts again and again. Their sum must always be the same.
  func read() throws -> [String] {
    let connection = try Connection(database, extension: library)
    connection.setBusyTimeout(milliseconds: 2000)
    let end = Date().addingTimeInterval(seconds)
    while Date() < end {
      do {
        try connection.execute("BEGIN")
        try Accounts.check(connection)
        try Accounts.check(connection)
        try connection.execute("COMMIT")
        doneCount += 1
      } catch let error as SQLiteError where error.isBusy {
        busyCount += 1
        if connection.isInTransaction { try connection.execute("ROLLBACK") }
      }
    }
    return ["done \(doneCount) \(busyCount)"]
  }

  private func transaction(_ connection: Connection, _ rows: inout [Int: Int]) throws {
    try connection.execute(Bool.random(using: &random) ? "BEGIN IMMEDIATE" : "BEGIN")
    for _ in 0..<Int.random(in: 1...5, using: &random) { try change(connection, &rows) }
    try Accounts.move(connection, using: &random)
    if Int.random(in: 0..<20, using: &random) == 0 {
      try connection.execute("ROLLBACK")
      rows = self.rows
      return
    }
    // A busy COMMIT leaves the transaction open. It succeeds if it is repeated long enough.
    while true {
      do {
        try connection.execute("COMMIT")
        return
      } catch let error as SQLiteError where error.isBusy {
        busyCount += 1
      }
    }
  }

  private func change(_ connection: Connection, _ rows: inout [Int: Int]) throws {
    let value = Int.random(in: 0..<1_000_000, using: &random)
    let filler = String(repeating: "x", count: Int.random(in: 0..<300, using: &random))
    switch Int.random(in: 0..<10, using: &random) {
    case 0..<5:
      sequence += 1
      let id = number * 10_000_000 + sequence
      try connection.execute("INSERT INTO work VALUES(\(id), \(value), '\(filler)')")
      rows[id] = value
    case 5..<8:
      guard let id = rows.keys.randomElement(using: &random) else { return }
      try connection.execute(
        "UPDATE work SET value = \(value), filler = '\(filler)' WHERE id = \(id)")
      rows[id] = value
    default:
      guard let id = rows.keys.randomElement(using: &random) else { return }
      try connection.execute("DELETE FROM work WHERE id = \(id)")
      rows[id] = nil
    }
  }
}
