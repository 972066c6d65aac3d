// Small C programs that a test compiles, with the compiler that comes with Swift.

import Foundation
import Testing

extension Fixture {
  /// Compiles `source` as the program `name` in `outside`, and returns its path.
  @discardableResult
  func compile(
    _ name: String, _ source: String, _ options: [String] = [], with compiler: String = "clang"
  ) throws -> String {
    let (from, to) = (scratch.appending(path: name + ".c"), outside.appending(path: name))
    try source.write(to: from, atomically: true, encoding: .utf8)
    let outcome = try run([compiler, "-w", "-o", to.path, from.path] + options)
    try #require(outcome.ending == .exited(0), "\(outcome.errors)")
    return to.path
  }

  /// A program that makes the database that it is told, with an SQLite of its own.
  @discardableResult
  func compileOwnSQLite(_ name: String = "own", _ options: [String] = []) throws -> String {
    try compile(
      name,
      """
      #include <sqlite3.h>
      int main(int count, char **words) {
        sqlite3 *db;
        return sqlite3_open(words[1], &db) || sqlite3_exec(db, "CREATE TABLE IF NOT EXISTS t(x)", 0, 0, 0)
          || sqlite3_close(db);
      }
      """, options + ["-l:libsqlite3.a", "-lm", "-lpthread", "-ldl"])
  }

  /// A program that opens nothing and contains the header of a database, as every SQLite does.
  func compileHeader(
    _ name: String, _ options: [String], with compiler: String = "clang"
  ) throws -> String {
    try compile(
      name,
      """
      #include <unistd.h>
      volatile const char header[16] = "SQLite format 3";
      int main() { return write(1, (const char *)header, 15) != 15 || header[15]; }
      """, options, with: compiler)
  }
}
