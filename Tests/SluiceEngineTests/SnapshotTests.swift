// The snapshots of a memory engine: when they are saved, and that none is half a one.

import Foundation
import SluiceSQL
import TestSupport
import Testing

@testable import SluiceEngine

@Suite struct SnapshotTests {
  private let workshop: EngineWorkshop
  private let target: String

  init() throws {
    workshop = try EngineWorkshop(.local)
    target = workshop.path("snapshot.db")
  }

  private func saved() async throws -> [SQLValue] {
    let database = try await LocalEngine.open(target)
    defer { withExtendedLifetime(database) {} }
    return try await database.exec("SELECT a FROM t ORDER BY a").rows.map { $0[0] }
  }

  private func eventually(_ condition: () async throws -> Bool) async throws -> Bool {
    for _ in 0..<500 {
      if try await condition() { return true }
      try await Task.sleep(for: .milliseconds(20))
    }
    return false
  }

  @Test func aCommitIsSavedAfterAWhileAndTheRestAtTheClose() async throws {
    let database = try await MemoryEngine.open(savingTo: target)
    _ = try await database.exec("CREATE TABLE t(a)")
    // An outermost savepoint is a transaction too.
    for statement in ["SAVEPOINT x", "INSERT INTO t VALUES(1)", "RELEASE x"] {
      _ = try await database.exec(statement)
    }
    // On a slow machine the table is saved before the row is there.
    #expect(try await eventually { (try? await saved()) == [1] })
    _ = try await database.exec("INSERT INTO t VALUES(2)")
    try await database.close()
    #expect(try await saved() == [1, 2])
    let again = try await MemoryEngine.open(savingTo: target)
    #expect(try await again.exec("SELECT count(*) FROM t").rows[0][0] == 2)
    _ = try await again.exec("BEGIN")
    _ = try await again.exec("INSERT INTO t VALUES(3)")
    try await again.close(rollingBack: true)
    #expect(try await saved() == [1, 2])
  }

  @Test func aSaveThatFailsIsToldByTheNextCallAndTheTargetStays() async throws {
    let folder = workshop.path("folder")
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let database = try await MemoryEngine.open(savingTo: folder + "/snapshot.db")
    _ = try await database.exec("CREATE TABLE t(a)")
    try FileManager.default.removeItem(atPath: folder)
    _ = try await database.exec("INSERT INTO t VALUES(1)")
    var found: SQLError?
    for _ in 0..<500 where found == nil {
      try await Task.sleep(for: .milliseconds(10))
      do {
        _ = try await database.exec("SELECT 1")
      } catch {
        found = error
      }
    }
    #expect(found?.reason == .notSaved)
    #expect(found?.message.contains("snapshot.db") == true)
    _ = try await database.exec("INSERT INTO t VALUES(2)")
    let told = await sqlError { try await database.close() }
    #expect(told?.reason == .notSaved)
  }

  @Test func aTimerSavesAfterARestAndInTheEndAnyway() {
    let ms: Int64 = 1_000_000
    var timer = SnapshotTimer()
    #expect(timer.dueAt == .max)
    timer.callEnded(hasWritten: false, isInTransaction: false, at: 0)
    #expect(timer.dueAt == .max)
    // Ten commits within 300 ms are one save.
    for number in 0..<10 {
      timer.callEnded(hasWritten: true, isInTransaction: false, at: Int64(number) * 20 * ms)
    }
    #expect(timer.dueAt == (180 + 300) * ms)
    // Commits without end are saved after 2 s.
    for number in 0..<100 {
      timer.callEnded(hasWritten: true, isInTransaction: false, at: Int64(200 + number * 100) * ms)
    }
    #expect(timer.dueAt == 2000 * ms)
    // Not within a transaction, but at once behind it.
    timer.callEnded(hasWritten: true, isInTransaction: true, at: 11_000 * ms)
    #expect(timer.dueAt == .max && timer.isUnsaved)
    timer.callEnded(hasWritten: false, isInTransaction: false, at: 12_000 * ms)
    #expect(timer.dueAt == 2000 * ms)
    timer.noteSaved()
    #expect(timer.dueAt == .max && !timer.isUnsaved)
  }

  @Test func aTimerNeverForgetsACommit() {
    var random = SeededRandom(for: #function)
    for _ in 0..<2000 {
      var timer = SnapshotTimer()
      var now: Int64 = 0
      var firstUnsaved: Int64?
      var isWritten = false
      for _ in 0..<40 {
        now += Int64.random(in: 0...900_000_000, using: &random)
        if timer.dueAt <= now {
          timer.noteSaved()
          firstUnsaved = nil
        }
        let hasWritten = Bool.random(using: &random)
        let isOpen = Bool.random(using: &random)
        timer.callEnded(hasWritten: hasWritten, isInTransaction: isOpen, at: now)
        isWritten = isWritten || hasWritten
        if isWritten, !isOpen {
          isWritten = false
          firstUnsaved = firstUnsaved ?? now
        }
        #expect(timer.isUnsaved == (firstUnsaved != nil))
        if let firstUnsaved, !isOpen {
          #expect(timer.dueAt <= firstUnsaved + SnapshotTimer.delayNanosecondsMaximum)
        }
      }
    }
  }
}
