// Programs in C with sluice.h and libsluice-sql.so, and an engine of their own or a shared one.

import Foundation
import Testing

struct SQLFromCTests {
  @Test(arguments: [false, true])
  func exampleCompilesAndRuns(isPrivate: Bool) throws {
    let fixture = try Fixture()
    let engine = isPrivate ? nil : try fixture.startEngine()
    let program = try fixture.compileSQL(
      "example", Fixture.text(of: "Tools/clients/sql/example.c"))
    for round in 1...2 {
      try fixture.run([program, "notes.db"], fixture.engineEnvironment(private: isPrivate))
        .expectLines(
          (1...3 * round).map { "\($0) \(["the process", "storage", "out of"][$0 % 3])" })
    }
    #expect(
      try fixture.nativeAnswer(fixture.inRoot("notes.db"), "SELECT count(*) FROM note") == "6")
    _ = engine
  }

  @Test func misuseGivesCodes() throws {
    try Fixture.runSQLProgram(
      """
      int receive(void *context, const void *bytes, size_t length) {
        (void)bytes; (void)length;
        must(run("SELECT 1") == SLUICE_MISUSE);
        must(sluice_close(db) == SLUICE_MISUSE);
        return *(int *)context;
      }
      int main() {
        sluice_result *result = NULL;
        size_t length = 7;
        struct sluice_rows rows;
        ok(SLUICE_MISUSE, sluice_open(":memory:", NULL, SLUICE_EITHER, -1, NULL));
        ok(SLUICE_MISUSE, sluice_open(NULL, NULL, SLUICE_EITHER, -1, &db));
        must(strstr(sluice_error_message(db), "NULL"));
        ok(SLUICE_MISUSE, run("SELECT 1"));
        ok(SLUICE_OK, sluice_close(db));
        ok(SLUICE_MISUSE, sluice_open(":memory:", NULL, 99, -1, &db));
        ok(SLUICE_OK, sluice_close(db));
        ok(SLUICE_MISUSE, sluice_close(db));
        ok(SLUICE_CANTOPEN, sluice_open(":memory:", "/not/there", SLUICE_EITHER, -1, &db));
        ok(SLUICE_OK, sluice_close(db));
        ok(SLUICE_OK, sluice_open(":memory:", NULL, SLUICE_EITHER, -1, &db));
        ok(SLUICE_MISUSE, sluice_execute(NULL, "SELECT 1", -1, NULL, 0, 0, &result));
        ok(SLUICE_MISUSE, sluice_execute(db, NULL, -1, NULL, 0, 0, &result));
        ok(SLUICE_MISUSE, sluice_execute(db, "SELECT ?", -2, NULL, 0, 0, &result));
        ok(SLUICE_MISUSE, sluice_execute(db, "SELECT ?", -1, NULL, 1, 0, &result));
        struct sluice_value odd = {77, 0, 0, {0}}, empty = blob(NULL, 3);
        ok(SLUICE_MISUSE, sluice_execute(db, "SELECT ?", -1, &odd, 1, 0, &result));
        ok(SLUICE_MISUSE, sluice_execute(db, "SELECT ?", -1, &empty, 1, 0, &result));
        ok(SLUICE_RANGE, sluice_execute(db, "SELECT ?", -1, NULL, 0, 0, &result));
        must(!result);
        ok(SLUICE_MISUSE, run("SELECT 1; SELECT 2"));
        ok(SLUICE_ERROR, run("SELECT nothing"));
        must(sluice_error_offset(db) == 7 && sluice_error_code(db) == SLUICE_ERROR);
        ok(SLUICE_MISUSE, sluice_batch(db, NULL, 3, 1, 0, NULL, NULL));
        ok(SLUICE_OK, sluice_batch(db, NULL, 0, 1, 0, NULL, NULL));
        struct sluice_batch_step bad[2] = {{"SELECT 1", -1, NULL, 0}, {NULL, -1, NULL, 0}};
        ok(SLUICE_MISUSE, sluice_batch(db, bad, 2, 0, 0, NULL, &length));
        must(length == 1);
        ok(SLUICE_MISUSE, sluice_export(db, NULL, NULL));
        int end = 1;
        ok(0, run("CREATE TABLE t(x)"));
        ok(SLUICE_ABORT, sluice_export(db, receive, &end));
        ok(SLUICE_OK, sluice_cancel(db));
        ok(SLUICE_MISUSE, sluice_cancel(NULL));
        ok(SLUICE_OK, sluice_execute(db, "SELECT 'text', x'', ''", -1, NULL, 0, 0, &result));
        must(sluice_column_count(result) == 3 && !sluice_column_name(result, 3));
        must(!sluice_column_text(result, 0, &length) && length == 0);
        ok(SLUICE_ROW, sluice_step(result));
        must(sluice_column_type(result, 3) == SLUICE_NULL && sluice_error_code(db) == SLUICE_RANGE);
        must(sluice_column_int64(result, -1) == 0 && sluice_column_int64(result, 0) == 0);
        must(!sluice_column_blob(result, 0, NULL) && sluice_column_text(result, 0, NULL));
        must(sluice_column_blob(result, 1, &length) && length == 0);
        must(sluice_column_text(result, 2, &length) && length == 0);
        ok(SLUICE_MISUSE, sluice_close((sluice_connection *)result));
        ok(SLUICE_MISUSE, sluice_step((sluice_result *)db));
        ok(SLUICE_MISUSE, sluice_next_rows(result, NULL));
        ok(SLUICE_DONE, sluice_step(result));
        ok(SLUICE_DONE, sluice_step(result));
        ok(SLUICE_DONE, sluice_next_rows(result, &rows));
        ok(SLUICE_OK, sluice_close(db));
        ok(SLUICE_MISUSE, sluice_step(result));
        must(!sluice_column_text(result, 0, NULL));
        must(strcmp(sluice_column_name(result, 0), "'text'") == 0);
        ok(SLUICE_OK, sluice_result_close(result));
        ok(SLUICE_MISUSE, sluice_result_close(result));
        ok(SLUICE_MISUSE, sluice_step(NULL));
        ok(SLUICE_OK, sluice_result_close(NULL));
        ok(SLUICE_OK, sluice_close(NULL));
        must(sluice_changes(NULL) == 0 && sluice_autocommit(NULL) == 1 && sluice_error_message(NULL));
        puts("done");
      }
      """)
  }

  @Test func valuesOfEveryTypeAndSizeComeBack() throws {
    try Fixture.runSQLProgram(
      """
      int main() {
        sluice_result *result;
        size_t length, sizes[] = {0, 1, 70000, 10 << 20, (64 << 20) - 64};
        ok(0, sluice_open(":memory:", NULL, SLUICE_EITHER, -1, &db));
        struct sluice_value values[5] = {
          integer(INT64_MIN), {SLUICE_REAL, 0, 0, {.real = 0.5}}, {SLUICE_TEXT, 0, 3, {.bytes = "a\\0b"}},
          blob("\\0\\xff", 2), {SLUICE_NULL, 0, 0, {0}}};
        ok(0, sluice_execute(db, "SELECT ?, ? AS half, ?, ?, ?", -1, values, 5, 0, &result));
        must(strcmp(sluice_column_name(result, 1), "half") == 0);
        ok(SLUICE_ROW, sluice_step(result));
        for (int i = 0; i < 5; i++) must(sluice_column_type(result, i) == i + 1);
        must(sluice_column_int64(result, 0) == INT64_MIN && sluice_column_double(result, 1) == 0.5);
        must(!memcmp(sluice_column_text(result, 2, &length), "a\\0b", 3) && length == 3);
        must(!memcmp(sluice_column_blob(result, 3, &length), "\\0\\xff", 2) && length == 2);
        sluice_result_close(result);
        char *large = malloc(64 << 20);
        memset(large, 'x', 64 << 20);
        for (int i = 0; i < 5; i++) {
          struct sluice_value two[2] = {blob(large, sizes[i]), integer(i)};
          ok(0, sluice_execute(db, "SELECT ?, ?", -1, two, 2, 0, &result));
          ok(SLUICE_ROW, sluice_step(result));
          const char *back = sluice_column_blob(result, 0, &length);
          must(length == sizes[i] && !memcmp(back, large, length));
          must(sluice_column_int64(result, 1) == i);
          ok(SLUICE_DONE, sluice_step(result));
          sluice_result_close(result);
        }
        struct sluice_value above = blob(large, 64 << 20);
        above.length += 1000;
        ok(SLUICE_TOOBIG, sluice_execute(db, "SELECT ?", -1, &above, 1, 0, &result));
        const char *script = "CREATE TABLE t(x); INSERT INTO t VALUES (1), (2); -- end";
        size_t tail;
        ok(0, sluice_execute_first(db, script, -1, NULL, 0, 0, &tail, NULL));
        must(tail == 19);
        ok(0, sluice_execute_first(db, script + tail, -1, NULL, 0, 0, &tail, NULL));
        must(sluice_changes(db) == 2 && sluice_last_row_id(db) == 2);
        must(number("SELECT count(*) FROM t") == 2 && sluice_changes(db) == 0);
        must(sluice_sqlite_version(db) > 3000000);
        ok(0, sluice_close(db));
        puts("done");
      }
      """)
  }

  @Test func rowsCanBeHadAtOnceOrOneByOne() throws {
    try Fixture.runSQLProgram(
      """
      int main() {
        sluice_result *result, *other;
        struct sluice_rows rows;
        const char *sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
          " SELECT i, 'text ' || i FROM n";
        ok(0, sluice_open(":memory:", NULL, SLUICE_EITHER, -1, &db));
        ok(0, sluice_execute(db, sql, -1, NULL, 0, 0, &result));
        ok(0, sluice_execute(db, sql, -1, NULL, 0, 0, &other));
        int64_t seen = 0;
        for (; seen < 10; seen++) ok(SLUICE_ROW, sluice_step(result));
        int code;
        while ((code = sluice_next_rows(result, &rows)) == SLUICE_ROW) {
          must(rows.column_count == 2 && rows.row_count > 0);
          for (uint64_t row = 0; row < rows.row_count; row++) {
            const struct sluice_value *value = rows.values + 2 * row;
            char text[20];
            sprintf(text, "text %d", (int)++seen);
            must(value[0].integer == seen && value[1].length == strlen(text));
            must(!memcmp(value[1].bytes, text, strlen(text)));
            must((const char *)value[1].bytes >= (const char *)rows.bytes);
            must((const char *)value[1].bytes + value[1].length
              <= (const char *)rows.bytes + rows.byte_count);
          }
          ok(SLUICE_ROW, sluice_step(other));
          if (!rows.has_more) break;
        }
        must(seen == 5000);
        ok(SLUICE_DONE, sluice_next_rows(result, &rows));
        for (int64_t i = sluice_column_int64(other, 0) + 1; i <= 5000; i++) {
          ok(SLUICE_ROW, sluice_step(other));
          must(sluice_column_int64(other, 0) == i);
        }
        ok(SLUICE_DONE, sluice_step(other));
        sluice_result_close(result);
        sluice_result_close(other);
        puts("done");
      }
      """)
  }
}
