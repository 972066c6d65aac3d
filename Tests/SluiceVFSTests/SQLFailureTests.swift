// Batches, cancels, deadlines and dead engines, as programs in C meet them.

import Foundation
import Testing

struct SQLFailureTests {
  @Test func batchesStopAtTheFirstFailure() throws {
    try Fixture.runSQLProgram(
      """
      int main() {
        enum { count = 500 };
        struct sluice_value values[count];
        struct sluice_batch_step steps[count];
        int64_t changes[count];
        size_t failed = 0;
        ok(0, sluice_open("batch.db", NULL, SLUICE_CREATE, -1, &db));
        ok(0, run("CREATE TABLE t(x UNIQUE)"));
        for (int i = 0; i < count; i++) {
          values[i] = integer(i);
          steps[i] = (struct sluice_batch_step){"INSERT INTO t VALUES (?)", -1, &values[i], 1};
        }
        ok(0, sluice_batch(db, steps, count, 1, 0, changes, &failed));
        for (int i = 0; i < count; i++) must(changes[i] == 1);
        must(number("SELECT sum(x) FROM t") == count * (count - 1) / 2);
        ok(0, run("DELETE FROM t"));
        values[321] = integer(5);
        must(sluice_batch(db, steps, count, 0, 0, NULL, &failed) % 256 == SLUICE_CONSTRAINT);
        must(failed == 321 && number("SELECT count(*) FROM t") == 321);
        ok(0, run("DELETE FROM t"));
        ok(0, run("BEGIN"));
        ok(0, run("INSERT INTO t VALUES (-1)"));
        must(sluice_batch(db, steps, count, 1, 0, NULL, &failed) % 256 == SLUICE_CONSTRAINT);
        must(failed == 321 && sluice_autocommit(db) == 0);
        must(number("SELECT count(*) FROM t") == 1);
        ok(0, run("COMMIT"));
        steps[2].sql = "COMMIT";
        steps[2].value_count = 0;
        ok(SLUICE_MISUSE, sluice_batch(db, steps, 3, 1, 0, NULL, &failed));
        must(failed == 2 && number("SELECT count(*) FROM t") == 1);
        ok(0, sluice_close(db));
        puts("done");
      }
      """)
  }

  @Test func cancelAndDeadlineStopOneCall() throws {
    try Fixture.runSQLProgram(
      """
      static int finished;
      static void *cancel(void *nothing) {
        usleep(100000);
        while (!__atomic_load_n(&finished, __ATOMIC_RELAXED)) {
          sluice_cancel(db);
          usleep(20000);
        }
        return nothing;
      }
      int main() {
        pthread_t thread;
        ok(0, sluice_open(":memory:", NULL, SLUICE_EITHER, -1, &db));
        ok(SLUICE_INTERRUPT, sluice_execute(db, endless, -1, NULL, 0, 100, NULL));
        pthread_create(&thread, NULL, cancel, NULL);
        ok(SLUICE_INTERRUPT, run(endless));
        __atomic_store_n(&finished, 1, __ATOMIC_RELAXED);
        pthread_join(thread, NULL);
        must(number("SELECT 7") == 7);
        struct sluice_batch_step steps[2] = {{"SELECT 1", -1, NULL, 0}, {endless, -1, NULL, 0}};
        size_t failed;
        ok(SLUICE_INTERRUPT, sluice_batch(db, steps, 2, 1, 100, NULL, &failed));
        must(failed == 1 && sluice_autocommit(db) == 1);
        puts("done");
      }
      """)
  }

  @Test func deadEngineFailsEachPendingCallWithOneCode() throws {
    try Fixture.runSQLProgram(
      """
      #include <signal.h>
      static void *wait(void *connection) {
        sluice_result *result;
        return (void *)(intptr_t)sluice_execute(connection, endless, -1, NULL, 0, 0, &result);
      }
      static void *batch(void *connection) {
        static struct sluice_batch_step steps[5000];
        for (int i = 0; i < 5000; i++)
          steps[i] = (struct sluice_batch_step){"INSERT INTO t VALUES (1)", -1, NULL, 0};
        int code;
        while (!(code = sluice_batch(connection, steps, 5000, 1, 0, NULL, NULL)));
        return (void *)(intptr_t)code;
      }
      int main(int count, char **words) {
        (void)count;
        sluice_connection *others[6];
        pthread_t threads[6];
        sluice_result *half;
        ok(0, sluice_open("dead.db", NULL, SLUICE_EITHER, -1, &db));
        ok(0, run("CREATE TABLE t(x)"));
        ok(0, sluice_execute(db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
          " WHERE i < 1000000) SELECT i FROM n", -1, NULL, 0, 0, &half));
        ok(SLUICE_ROW, sluice_step(half));
        for (int i = 0; i < 6; i++) {
          ok(0, sluice_open(i ? ":memory:" : "dead.db", NULL, SLUICE_EITHER, -1, &others[i]));
          pthread_create(&threads[i], NULL, i ? wait : batch, others[i]);
        }
        usleep(300000);
        kill(atoi(words[1]), SIGKILL);
        for (int i = 0; i < 6; i++) {
          void *code;
          pthread_join(threads[i], &code);
          must((intptr_t)code == SLUICE_GONE);
          must(strstr(sluice_error_message(others[i]), "open a new connection"));
          must(sluice_execute(others[i], "SELECT 1", -1, NULL, 0, 0, NULL) == SLUICE_GONE);
        }
        int code;
        while ((code = sluice_step(half)) == SLUICE_ROW);
        must(code == SLUICE_GONE);
        ok(SLUICE_GONE, run("SELECT 1"));
        for (int i = 0; i < 6; i++) ok(0, sluice_close(others[i]));
        ok(0, sluice_close(db));
        ok(0, sluice_result_close(half));
        puts("done");
      }
      """)
  }

  @Test func nextOpenAfterADeathHasWhatWasCommitted() throws {
    let fixture = try Fixture()
    var engine = try fixture.startEngine()
    let program = try fixture.compileSQL(
      "example", Fixture.text(of: "Tools/clients/sql/example.c"))
    for round in 1...3 {
      try fixture.run([program, "notes.db"], fixture.engineEnvironment()).expectSuccess()
      try engine.killNow()
      let refused = try fixture.run([program, "notes.db"], fixture.engineEnvironment())
      #expect(refused.ending == .exited(1))
      #expect(refused.errors.contains("no engine can be reached"), "\(refused.errors)")
      engine = try fixture.startEngine()
      let lines = try fixture.run(
        [program, "notes.db"], fixture.engineEnvironment()
      ).lines
      #expect(lines.count == 6 * round)
    }
  }
}
