// Readers that go without a read mark of their own: the rule, and what the sidecar is asked.

import Foundation
import Testing

@testable import SluiceVFS

struct ReadMarksTests {
  private let millisecond: Int64 = 1_000_000

  /// Whether a round asks, with all locks refused; the newest mark is that of lock 5.
  private func round(_ marks: inout ReadMarks, _ now: Int64) -> [Int] {
    ReadMarks.locks.filter { !marks.goWithout($0, newest: 5, now: now) }
  }

  @Test func whoAsksNowAndThenAlwaysAsks() {
    var marks = ReadMarks()
    for number in 0..<1000 {
      let locks = round(&marks, Int64(number) * 11 * millisecond)
      #expect(locks == [4, 5, 6, 7])
    }
  }

  @Test func whoAsksOftenGoesWithout() {
    var marks = ReadMarks()
    var asked = 0
    for number in 0..<100_000 {
      let locks = round(&marks, Int64(number) * 10_000)
      if locks.isEmpty { continue }
      asked += 1
      // Others read by the newest mark.
      #expect(locks == (asked <= 10 ? [4, 5, 6, 7] : [4, 6, 7]) || asked == 11, "\(locks)")
    }
    #expect((100...121).contains(asked), "\(asked)")
    let locks = round(&marks, 10_000 * millisecond)
    #expect(locks == [4, 5, 6, 7], "after a pause")
  }

  /// Without any mark there is nothing to share.
  @Test func withoutAMarkItAsks() {
    var marks = ReadMarks()
    for number in 0..<1000 {
      let goesWithout = marks.goWithout(4, newest: nil, now: Int64(number))
      #expect(!goesWithout)
    }
  }

  private struct Counts: Decodable {
    var operations: [String: Int]
  }

  /// Each transaction of the reader finds another commit. The rows that it sees are the last ones, and
  /// a checkpoint copies all of them.
  @Test func aReaderBesideAWriterHardlyAsks() throws {
    let fixture = try Fixture()
    try fixture.startSidecar([])
    try fixture.makeDatabase(fixture.inRoot("app.db"))
    let outcome = try fixture.runPython(
      """
      w, r = proxied("app.db"), proxied("app.db")
      w.execute("PRAGMA journal_mode=WAL"); w.execute("PRAGMA synchronous=NORMAL")
      w.execute("PRAGMA wal_autocheckpoint=0")
      wrong = 0
      for n in range(3000):
          w.execute("INSERT INTO t VALUES (?)", (5000 + n,))
          wrong += one(r, "SELECT max(x) FROM t") != 5000 + n
      print(wrong)
      busy, all_frames, copied = w.execute("PRAGMA wal_checkpoint").fetchone()
      print(busy, all_frames > 3000, all_frames == copied)
      """)
    outcome.expectLines(["0", "0 True True"])
    let stats = try fixture.run([
      Fixture.program, "stats", "--json", "--socket", fixture.socket.path,
    ])
    let decoder = JSONDecoder()
    let all = try decoder.decode([Counts].self, from: Data(stats.output.utf8))
    let locks = try #require(all.first?.operations["walIndexLock"])
    #expect(locks < 5500, "two for each commit were 6,000: \(locks)")
  }
}
