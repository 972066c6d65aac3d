// What an engine's process takes and tells: its memory, its counters, and how often a thread that has
// nothing to do wakes.

import CEngine
import Foundation
import SluiceSQL
import Testing

@testable import SluiceEngine
@testable import SluiceSQL

@Suite(.timeLimit(.minutes(2))) struct EngineLimitTests {
  @Test func aStatementThatWantsMoreThanTheEnginesMemoryFailsAndNothingElse() throws {
    let engine = try EngineProgram("--memory", "\(16 << 20)")
    let (first, second) = (try engine.connect(":memory:"), try engine.connect(":memory:"))
    try first.rows("CREATE TABLE t(a)")
    #expect {
      try first.rows("INSERT INTO t VALUES(zeroblob(40000000))")
    } throws: { error in
      guard case .sqlite(SQLITE_NOMEM, let message, _)? = error as? SQLFailure else { return false }
      return String(decoding: message, as: UTF8.self) == "out of memory"
    }
    try first.rows("INSERT INTO t VALUES(zeroblob(4000000))")
    #expect(try second.rows("SELECT 1").count == 1)
    // Without the option it is done.
    let unlimited = try EngineProgram()
    let third = try unlimited.connect(":memory:")
    try third.rows("CREATE TABLE t(a)")
    try third.rows("INSERT INTO t VALUES(zeroblob(40000000))")
  }

  @Test func statsShowWhatAnEngineHasDone() throws {
    let engine = try EngineProgram()
    let connection = try engine.connect(":memory:")
    for _ in 0..<5 { try connection.rows("SELECT 1 UNION ALL SELECT 2") }
    let text = try engine.stats()
    let array = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [[String: Any]]
    let sql = try #require(array?.first?["sql"] as? [String: Int])
    #expect(sql == ["statements": 5, "prepare_hits": 4, "prepare_misses": 1, "rows": 10])
    let operations = try #require(array?.first?["operations"] as? [String: Int])
    #expect(operations["sqlExecute"] == 5)
    #expect(operations["sqlOpen"] == 1)
    #expect(operations["read"] == nil)
  }

  /// Other tests have local engines at the same time, so what holds is said of one of the new threads.
  /// Without the mend, none of them sleeps, and none of them ends.
  @Test func aLocalEngineSleepsWhileNothingIsAskedOfIt() async throws {
    let before = localThreads()
    let database = try await MemoryEngine.open()
    _ = try await database.exec("SELECT 1")
    let new = localThreads().subtracting(before)
    try await Task.sleep(for: .milliseconds(300))
    let first = Dictionary(uniqueKeysWithValues: new.map { ($0, wakes(of: $0)) })
    try await Task.sleep(for: .milliseconds(1500))
    // It woke 15 times when it looked for its client ten times a second.
    let sleepers = new.filter { thread in
      guard let first = first[thread] ?? nil, let now = wakes(of: thread) else { return false }
      return now - first <= 2
    }
    #expect(!sleepers.isEmpty)
    _ = try await database.exec("SELECT 1")
    try await database.close()
    // It ends with its session.
    for _ in 0..<500 where localThreads().isSuperset(of: sleepers) {
      try await Task.sleep(for: .milliseconds(10))
    }
    #expect(!localThreads().isSuperset(of: sleepers))
  }

  private func localThreads() -> Set<String> {
    let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
    return Set(
      all.filter {
        (try? String(contentsOfFile: "/proc/self/task/\($0)/comm", encoding: .utf8))
          == "sluice-local\n"
      })
  }

  /// How often a thread has waited; nil if it is gone.
  private func wakes(of task: String) -> Int? {
    let path = "/proc/self/task/\(task)/status"
    guard let status = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
    let line = status.split(separator: "\n").first { $0.hasPrefix("voluntary_ctxt_switches") }
    return Int(line?.split(separator: "\t").last ?? "")
  }
}
