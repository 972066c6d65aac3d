// Cursors of one text beside one another: none gets another's rows, and none loses its failure.

import Foundation
import SluiceClient
import Testing

@testable import SluiceSQL

@Suite(.timeLimit(.minutes(2))) struct CursorTests {
  private let engine: TestEngine

  init() throws { engine = try TestEngine() }

  @Test func cursorsOfOneTextNeverGetEachOthersRows() throws {
    let connection = try engine.connect()
    let sql =
      "WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 + ?2)"
      + " SELECT i, 'row ' || i FROM n"
    var random = Xorshift(.random(in: 0 ... .max))
    var open: [(cursor: SQLCursor, next: Int64, end: Int64)] = []
    for _ in 0..<20_000 {
      if open.count < 8, random.below(40) == 0 {
        // Ends around a page's end, where the engine is done with rows that are not read yet.
        let first = Int64(random.below(1_000_000)) * 10_000
        let count = Int64(random.below(1200))
        open.append(
          (try connection.open(sql, .integer(first), .integer(count)), first, first + count))
        continue
      }
      guard !open.isEmpty else { continue }
      let index = Int(random.below(UInt64(open.count)))
      if random.below(200) == 0 {
        open.remove(at: index).cursor.close()
        continue
      }
      for _ in 0..<random.below(30) {
        guard try open[index].cursor.step() else {
          #expect(open[index].next == open[index].end + 1)
          open.remove(at: index)
          break
        }
        guard try open[index].cursor.row()[0] == .integer(open[index].next) else {
          Issue.record("a row of another cursor")
          return
        }
        open[index].next += 1
      }
    }
  }

  @Test func theFailureOfAPageThatWasAskedForAheadIsTold() throws {
    let connection = try engine.connect()
    let sql =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
      + " SELECT i, abs(iif(i = ?1, -9223372036854775807 - 1, i)) FROM n"
    let cursor = try connection.open(sql, 600)
    var count: Int64 = 0
    // Until the second page is asked for.
    while count < 400 {
      #expect(try cursor.step())
      count += 1
    }
    // The engine is done with the statement, and begins it anew.
    let other = try connection.open(sql, 100_000)
    for number in 1...Int64(10) {
      #expect(try other.step())
      #expect(try other.row()[0] == .integer(number))
    }
    var failure: SQLFailure?
    do {
      while try cursor.step() {
        count += 1
        guard try cursor.row()[0] == .integer(count) else {
          Issue.record("a row of another cursor")
          return
        }
      }
    } catch let error as SQLFailure { failure = error }
    #expect(failure?.text == "integer overflow")
    for number in 11...Int64(2000) {
      #expect(try other.step())
      #expect(try other.row()[0] == .integer(number))
    }
  }
}
