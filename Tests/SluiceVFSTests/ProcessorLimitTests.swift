// Programs in control groups with little processor time.

import Foundation
import Testing

@Suite(
  .serialized,
  .enabled(
    if: LimitedGroup.canLimitProcessors && ProcessInfo.processInfo.processorCount > 1,
    "needs root, a control group for processors, and two of them"))
struct ProcessorLimitTests {
  /// A program that may use at most one processor's time sleeps at once. If it spun, it would keep
  /// the sidecar or itself from working. So each round trip shows as a sleep.
  @Test(arguments: [(50, true), (150, true), (250, false)])
  func nobodySpinsWithLessThanTwoProcessors(percent: Int, sleeps: Bool) throws {
    let fixture = try Fixture()
    let group = fixture.keep(try LimitedGroup(processorPercent: percent))
    let outcome = try fixture.runPython(
      """
      c = proxied("app.db", "read-window=0&owned-knowledge=0&standing-locks=0&posted-writes=0")
      c.execute("CREATE TABLE t(x)")
      def sleeps():
          with open("/proc/self/status") as f:
              return next(int(line.split()[1]) for line in f if line.startswith("voluntary"))
      def look():
          before = sleeps()
          for _ in range(300): c.execute("SELECT count(*) FROM t").fetchall()
          return (sleeps() - before) / 300
      print(min(look() for _ in range(3)))
      """, prefix: group.prefix)
    outcome.expectSuccess()
    // About five round trips for each statement.
    let count = try #require(Double(outcome.lines.last ?? ""))
    if sleeps { #expect(count > 2, "\(count) sleeps a statement") } else { print(count) }
    if !sleeps { #expect(count < 2, "\(count) sleeps a statement") }
  }
}
