// Words that are not UTF-8 pass through the command unchanged: arguments, names and variables.

import Foundation
import Testing

struct RunWordsTests {
  /// Runs a script, in which $B has bytes that are no UTF-8, and bytes of private use.
  private func run(_ fixture: Fixture, _ script: String) throws -> Outcome {
    try fixture.run(
      [
        "bash", "-c", #"B=$'b\xff\xfe\x80\xc3(\xed\xa0\x80\xf4\x8f\xbf\xbf'; "# + script,
        Fixture.program, Fixture.library,
      ], ["SLUICE_LIBRARY": Fixture.library, "TMPDIR": fixture.scratch.path], in: fixture.outside)
  }

  @Test(arguments: ["", "--root ."])
  func argumentsOfTheCommandAreUnchanged(options: String) throws {
    let fixture = try Fixture()
    let outcome = try run(
      fixture,
      """
      [ "$("$0" run \(options) -- printf '<%s>' "$B" '' "é$B")" = "<$B><><é$B>" ] && echo same
      "$0" run \(options) -- sqlite3 "$B" 'CREATE TABLE t(x)'
      [ -s "$B" ] && ls | wc -l
      """)
    outcome.expectLines(["same", "1"])
  }

  @Test func rootAndSocketMayHaveSuchNames() throws {
    let fixture = try Fixture()
    let outcome = try run(
      fixture,
      """
      mkdir "$B"
      "$0" run --root "$B" -- sqlite3 app.db 'CREATE TABLE t(x)'; ls "$B"
      "$0" serve --root="$B" --socket "$PWD/$B/socket" >said & sidecar=$!
      until [ -S "$B/socket" ]; do sleep 0.01; done
      "$0" run --socket "$PWD/$B/socket" -- sqlite3 app.db "SELECT name FROM sqlite_schema"
      kill $sidecar; wait $sidecar
      LC_ALL=C grep -acF "sluice: serving $B on $PWD/$B/socket, process $sidecar" said
      "$0" run --root "$B" -- "$B" 2>&1 | grep -c "run: $B: No such file"
      """)
    outcome.expectLines(["app.db", "t", "1", "1"])
  }

  @Test func variablesMayHaveSuchValues() throws {
    let fixture = try Fixture()
    let outcome = try run(
      fixture,
      """
      mkdir "$B"; cp "$0" "$B/sluice"; cp "$1" "$B/libsluice.so"
      export SLUICE_LIBRARY="$PWD/$B/libsluice.so" TMPDIR="$PWD/$B"
      "$PWD/$B/sluice" run -- sqlite3 app.db -cmd '.open app.db' 'CREATE TABLE t(x)' '.vfsname'
      LD_PRELOAD=$SLUICE_LIBRARY SLUICE_SIDECAR="$PWD/$B/sluice" SLUICE_DEFAULT=1 \
        sqlite3 app.db "SELECT name FROM sqlite_schema"
      ls "$B"/sluice-*.socket | wc -l
      """)
    outcome.expectLines(["sluice", "t", "1"])
  }

  @Test func libraryThatCannotBeReadIsNamed() throws {
    let fixture = try Fixture()
    let outcome = try run(fixture, #"SLUICE_LIBRARY=/nope.so "$0" run -- true"#)
    #expect(outcome.ending == .exited(2))
    #expect(outcome.errors.contains("SLUICE_LIBRARY: /nope.so: No such file or directory"))
  }
}
