// Scenario 29: whatever call of a commit fails, the state is as before the transaction or as after
// it, on the connection that saw the error and on the next one.

import CEngine
import Foundation
import SluiceClient
import SluiceSQL
import SluiceWire
import Testing

@testable import SluiceEngine
@testable import SluiceSQL

@Suite(.serialized) struct StateIOErrorTests {
  /// Otherwise a few calls are tried; SLUICE_STATE_FAULTS=all takes a minute.
  private static let step =
    ProcessInfo.processInfo.environment["SLUICE_STATE_FAULTS"] == "all" ? 1 : 17
  private static let note =
    "INSERT INTO state_all(entity_id, schema_key, file_id, plugin_key, schema_version, snapshot_content, version_id) VALUES"
  /// What is there before.
  private static let setup = [
    "INSERT INTO version(id) VALUES('branch')",
    note
      + "('a', 'k', 'f', 'p', '1', '{\"n\":0}', 'main'), ('b', 'k', 'f', 'p', '1', '{}', 'branch')",
    "DELETE FROM state_all WHERE entity_id = 'a' AND version_id = 'branch'",
  ]
  private static let transaction = [
    "BEGIN",
    "INSERT INTO version_merge(source_version_id, target_version_id) VALUES('branch', 'main')",
    note
      + "('a', 'k', 'f', 'p', '1', '{\"n\":1}', 'branch'), ('g', 'k', 'f', 'p', '1', '{}', 'global')",
    "INSERT INTO file_all(id, path, data, lixcol_version_id) VALUES('x', '/x', zeroblob(20000), 'branch')",
    "UPDATE active_version SET version_id = 'branch'",
    "COMMIT",
  ]
  /// All that is to be as before or as after. Ids differ from run to run.
  private static let facts = """
    SELECT group_concat(t, ';') FROM (
      SELECT version_id || entity_id || coalesce(snapshot_content, '-') || untracked || (commit_id = 'pending') AS t
      FROM state_with_tombstones
      UNION ALL SELECT version_id || (SELECT version_id FROM active_version) || count(*) FROM "commit" GROUP BY version_id
      UNION ALL SELECT v.id || c.number FROM version v JOIN "commit" c ON c.id = v.commit_id
      UNION ALL SELECT 'number' || value FROM state_settings WHERE name = 'number'
      UNION ALL SELECT 'commits' || count(*) FROM state_commits
      UNION ALL SELECT 'changes' || count(*) FROM state_changes
      ORDER BY 1)
    """

  private final class Laboratory {
    let directory = NSTemporaryDirectory() + "/sluice-state-faults-\(UUID().uuidString)"
    var number = 0

    init() throws {
      FaultyVFS.register
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(atPath: directory) }

    var path: String { "\(directory)/\(number).db" }

    func open() throws -> SQLConnection {
      try SQLConnection(
        try LocalChannel.connect(at: DatabasePlace.host(through: FaultyVFS.name)),
        path: Array(path.utf8), mode: .either, options: .state, busyMilliseconds: 0, seed: nil)
    }
  }

  private func facts(_ connection: SQLConnection) throws -> [[TestValue]] {
    #expect(try connection.rows(StateCache.faultCount) == [[0]])
    return try connection.rows(Self.facts)
  }

  /// Prepares a database, and gives a connection to it.
  private func prepare(_ laboratory: Laboratory, _ pragmas: [String]) throws -> SQLConnection {
    laboratory.number += 1
    let connection = try laboratory.open()
    for sql in pragmas + Self.setup { try connection.rows(sql) }
    return connection
  }

  @Test(
    arguments: FaultyVFS.Call.allCases,
    [["PRAGMA journal_mode = delete"], ["PRAGMA cache_size = 2"]]
  )
  func aFailedCallOfACommitIsAllOrNothing(call: FaultyVFS.Call, pragmas: [String]) throws {
    let laboratory = try Laboratory()
    unsafe FaultyVFS.fault = nil
    var connection = try prepare(laboratory, pragmas)
    let before = try facts(connection)
    for sql in Self.transaction { try connection.rows(sql) }
    let after = try facts(connection)
    #expect(before != after)
    let codes = [
      FaultyVFS.Call.write: [SQLITE_IOERR | 3 << 8, SQLITE_FULL], .sync: [SQLITE_IOERR | 4 << 8],
      .read: [SQLITE_IOERR | 1 << 8], .truncate: [SQLITE_IOERR | 6 << 8],
    ][call]!
    var failedCount = 0
    for code in codes {
      for isForEver in [false, true] {
        for number in stride(from: 1, to: .max, by: Self.step) {
          connection = try prepare(laboratory, pragmas)
          // What is not in the cache must be read.
          if call == .read { connection = try laboratory.open() }
          unsafe FaultyVFS.fault = .init(
            call: call, number: number, code: code, isForEver: isForEver)
          var failure: SQLFailure?
          for sql in Self.transaction where failure == nil { failure = connection.failure(sql) }
          let hasFailed = unsafe FaultyVFS.fault!.hasFailed
          unsafe FaultyVFS.fault = nil
          let what = Comment(rawValue: "\(call) \(number), code \(code), for ever: \(isForEver)")
          if !connection.isAutocommit { _ = connection.failure("ROLLBACK") }
          let seen = try facts(connection)
          #expect(failure == nil ? seen == after : seen == before || seen == after, what)
          let next = try laboratory.open()
          #expect(try facts(next) == seen, what)
          #expect(try next.rows("PRAGMA integrity_check") == [["ok"]], what)
          if seen == before {
            // The connection goes on.
            for sql in Self.transaction { try connection.rows(sql) }
            #expect(try facts(connection) == after, what)
          }
          if !hasFailed { break }
          failedCount += 1
        }
      }
    }
    #expect(failedCount > 0 || call == .truncate)
  }
}
