// Where a statement begins in a text of several, compared with SQLite.

import CEngine
import Testing

@testable import SluiceEngine

@Suite struct StatementTextTests {
  private func next(_ text: String, _ start: Int = 0) -> Int {
    StatementText.nextStatement(in: Array(text.utf8), from: start)
  }

  @Test func blanksAndCommentsAreNoStatement() {
    for text in ["", " ", ";;\n", "-- a", "/* a", "/* a */ ; -- b\n\t", "/***/", "/**/--\r"] {
      #expect(next(text) == 0, "\(text)")
    }
    #expect(next(" -- a\nx") == 6)
    #expect(next("/* ; */x") == 7)
    #expect(next("/* */*/") == 5)
    #expect(next(" - a") == 1)
    #expect(next("; /") == 2)
    #expect(next(" /*") == 1)
    #expect(next("  ;\u{b}") == 3)
    #expect(next("  \u{b}") == 0)
    #expect(next("SELECT 1; SELECT 2", 9) == 10)
  }

  @Test func sqliteAgreesOnRandomTexts() throws {
    var connection: OpaquePointer?
    unsafe sqlite3_open(":memory:", &connection)
    defer { unsafe sqlite3_close(connection) }
    let parts = [
      " ", ";", "\n", "--", "/*", "*/", "x", "\t", "-", "/", "*", "\u{b}", "\r", "\u{c}",
    ]
    for _ in 0..<20_000 {
      let text = (0..<Int.random(in: 0...8)).map { _ in parts.randomElement()! }.joined()
      var statement: OpaquePointer?
      // What is no statement compiles to none; anything else here is a syntax error.
      let code = unsafe sqlite3_prepare_v2(connection, text, -1, &statement, nil)
      #expect(
        (next(text) == 0 && !startsStatement(text)) == (code == SQLITE_OK),
        "\(text.debugDescription)")
      unsafe sqlite3_finalize(statement)
    }
  }

  /// 0 also stands for a statement at the very beginning.
  private func startsStatement(_ text: String) -> Bool { next(";" + text) == 1 }

  @Test func aTextIsCutBetweenCharacters() {
    let text = Array("aä😀".utf8)
    unsafe text.withUnsafeBytes { text in
      let counts = (-1...8).map { unsafe StatementText.prefix($0, of: text).count }
      #expect(counts == [0, 0, 1, 1, 3, 3, 3, 3, 7, 7])
    }
  }
}
