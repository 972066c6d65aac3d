// A program in C against a shared engine.

import Foundation
import Testing

extension Fixture {
  /// What such programs begin with. `ok` ends them where a code is another one.
  private static let sqlPrelude = """
    #include <pthread.h>
    #include <sluice.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <unistd.h>
    static sluice_connection *db;
    #define ok(wanted, call) do { int code = (call); if (code != (wanted)) { \\
      printf("line %d: code %d: %s\\n", __LINE__, code, sluice_error_message(db)); exit(1); } } while (0)
    #define must(what) do { if (!(what)) { \\
      printf("line %d: %s: %s\\n", __LINE__, #what, sluice_error_message(db)); exit(1); } } while (0)
    static inline struct sluice_value integer(int64_t number) {
      return (struct sluice_value){SLUICE_INTEGER, 0, 0, {.integer = number}};
    }
    static inline struct sluice_value blob(const void *bytes, size_t length) {
      return (struct sluice_value){SLUICE_BLOB, 0, length, {.bytes = bytes}};
    }
    static inline int run(const char *sql) { return sluice_execute(db, sql, -1, NULL, 0, 0, NULL); }
    static inline int64_t number(const char *sql) {
      sluice_result *result;
      ok(0, sluice_execute(db, sql, -1, NULL, 0, 0, &result));
      ok(SLUICE_ROW, sluice_step(result));
      int64_t value = sluice_column_int64(result, 0);
      sluice_result_close(result);
      return value;
    }
    static const char *endless =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";

    """

  /// Runs a program against a shared engine. Its argument is the
  /// engine's process. It has to print "done".
  static func runSQLProgram(_ body: String) throws {
    let fixture = try Fixture()
    let engine = try fixture.startEngine()
    let program = try fixture.compileSQL("program", sqlPrelude + body)
    try fixture.run([program, "\(engine.id)"], fixture.engineEnvironment(), within: 60)
      .expectLines(["done"])
  }
}
