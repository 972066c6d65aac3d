// Programs in C with sluice_records.h and libsluice-records.so, and an engine of their own or a shared one.

import Foundation
import Testing

struct RecordsFromCTests {
  @Test(arguments: [false, true])
  func exampleCompilesAndRuns(isPrivate: Bool) throws {
    let fixture = try Fixture()
    let engine = isPrivate ? nil : try fixture.startEngine()
    let program = try fixture.compileRecords(
      "example", Fixture.text(of: "Tools/clients/records/example.c"))
    for _ in 1...2 {
      try fixture.run([program, "notes.records"], fixture.engineEnvironment(private: isPrivate))
        .expectLines([#"{"privacy":"trusting","madeAt":1,"changes":"[]"}"#])
    }
    #expect(
      try fixture.nativeAnswer(
        fixture.inRoot("notes.records"), "SELECT count(*) FROM transactions") == "1")
    _ = engine
  }

  @Test func misuseGivesCodes() throws {
    try Fixture.runRecordsProgram(
      """
      static int code;
      static void waits(void *context, int outcome) {
        (void)outcome;
        code = sluice_records_count(store, context, NULL, NULL);
      }
      int main() {
        static struct content made;
        uint64_t count;
        sluice_records *none = (sluice_records *)1;
        struct sluice_records_options options = {sizeof options, .mode = 7};
        struct sluice_records_text empty = {NULL, 0}, odd = {NULL, 3};
        ok(SLUICE_MISUSE, sluice_records_open(NULL, NULL, &none));
        must(!none && strstr(sluice_records_error_message(), "NULL"));
        ok(SLUICE_MISUSE, sluice_records_open(":memory:", NULL, NULL));
        ok(SLUICE_MISUSE, sluice_records_open(":memory:", &options, &store));
        options = (struct sluice_records_options){8, .mode = 0};
        ok(SLUICE_MISUSE, sluice_records_open(":memory:", &options, &store));
        options = (struct sluice_records_options){sizeof options, .durability = 2};
        ok(SLUICE_MISUSE, sluice_records_open(":memory:", &options, &store));
        options = (struct sluice_records_options){sizeof options, .mode = SLUICE_RECORDS_OPEN};
        ok(SLUICE_CANTOPEN, sluice_records_open("absent", &options, &store) & 0xff);
        options = (struct sluice_records_options){sizeof options, .socket = "/not/there"};
        ok(SLUICE_CANTOPEN, sluice_records_open(":memory:", &options, &store));
        must(!store && sluice_records_error_code() == SLUICE_CANTOPEN);
        ok(SLUICE_MISUSE, put("co_z1", header, "s", 0, 1));
        ok(SLUICE_OK, sluice_records_open(":memory:", NULL, &store));
        ok(SLUICE_MISUSE, sluice_records_store(store, NULL, NULL, NULL, NULL));
        ok(SLUICE_MISUSE, put("", header, "s", 0, 1));
        content(&made, "co_z1", header, "s", 0, 1);
        made.message.sessions = NULL;
        ok(SLUICE_MISUSE, sluice_records_store(store, &made.message, NULL, NULL, NULL));
        content(&made, "co_z1", header, "s", 0, 1);
        made.transactions[0] = odd;
        ok(SLUICE_MISUSE, sluice_records_store(store, &made.message, NULL, NULL, NULL));
        struct sluice_records_text endless = {"x", SIZE_MAX};
        made.transactions[0] = endless;
        ok(SLUICE_TOOBIG, sluice_records_store(store, &made.message, NULL, NULL, NULL));
        ok(SLUICE_TOOBIG, sluice_records_load(store, endless, see, NULL, NULL));
        ok(SLUICE_MISUSE, sluice_records_load(store, T("co_z1"), NULL, NULL, NULL));
        ok(SLUICE_MISUSE, sluice_records_load(store, empty, see, NULL, NULL));
        ok(SLUICE_MISUSE, sluice_records_known_state(store, odd, take_state, NULL));
        ok(SLUICE_MISUSE, sluice_records_unsynced(store, NULL, NULL, NULL));
        ok(SLUICE_MISUSE, sluice_records_count(store, NULL, NULL, NULL));
        ok(SLUICE_MISUSE, sluice_records_track(store, NULL, 2, NULL, NULL));
        struct sluice_records_lock_answer answer;
        ok(SLUICE_MISUSE, sluice_records_lock(store, 9, T("p"), T("h"), 0, &answer, NULL, NULL));
        ok(SLUICE_MISUSE, sluice_records_correct_by(NULL, &made.message));
        ok(SLUICE_MISUSE, sluice_records_correct_by((sluice_records_correction *)store, &made.message));
        ok(SLUICE_MISUSE, sluice_records_present_is(NULL, NULL));
        // Refused by the engine: bad JSON, a zero byte in a name.
        ok(SLUICE_ERROR, put("co_z1", "{", "s", 0, 1));
        struct sluice_records_text zero = {"co\\0z", 4};
        content(&made, "co_z1", header, "s", 0, 1);
        made.message.id = zero;
        must(sluice_records_store(store, &made.message, NULL, NULL, NULL) != SLUICE_OK);
        must(strlen(sluice_records_error_message()) > 0);
        // A callback must not wait.
        ok(SLUICE_OK, sluice_records_count(store, &count, waits, &count));
        ok(SLUICE_OK, sluice_records_count(store, &count, NULL, NULL));
        must(code == SLUICE_MISUSE && count == 0);
        ok(SLUICE_OK, sluice_records_cancel(store));
        ok(SLUICE_MISUSE, sluice_records_cancel(NULL));
        must(sluice_records_durability(store) == SLUICE_RECORDS_NORMAL);
        ok(SLUICE_OK, sluice_records_close(store, NULL, NULL));
        ok(SLUICE_MISUSE, sluice_records_close(store, NULL, NULL));
        ok(SLUICE_MISUSE, put("co_z1", header, "s", 0, 1));
        ok(SLUICE_OK, sluice_records_close(NULL, NULL, NULL));
        must(strlen(sluice_records_version()) > 0);
        puts("done");
      }
      """)
  }

  @Test func storesAreCorrectedAndLoadsComeInPieces() throws {
    try Fixture.runRecordsProgram(
      """
      static char asked[256];
      static int correct(
          void *context, const struct sluice_records_state *state, sluice_records_correction *correction) {
        static struct content made;
        take_state(asked, state);
        if (context) return 1;
        ok(0, sluice_records_correct_by(correction, content(&made, "co_z1", header, "s", 0, 300)));
        return 0;
      }
      static int stops(void *context, const struct sluice_records_message *message) {
        (void)message;
        return ++*(int *)context == 2;
      }
      int main() {
        static struct content made;
        struct seen seen = {0};
        char text[256] = "";
        struct sluice_records_options options = {
          sizeof options, .durability = SLUICE_RECORDS_FULL, .signature_interval = 100};
        ok(0, sluice_records_open("store", &options, &store));
        must(sluice_records_durability(store) == SLUICE_RECORDS_FULL);
        ok(SLUICE_NOTFOUND, sluice_records_load(store, T("co_z1"), see, NULL, &seen));
        ok(SLUICE_NOTFOUND, sluice_records_load_known_state(store, T("co_z1"), take_state, NULL, text));
        must(!*text && !seen.messages);
        // Without header, and no correction.
        ok(SLUICE_ERROR, put("co_z1", NULL, "s", 0, 1));
        must(strstr(sluice_records_error_message(), "correction"));
        content(&made, "co_z1", NULL, "s", 290, 20);
        ok(SLUICE_ERROR, sluice_records_store(store, &made.message, correct, NULL, "none"));
        must(strcmp(asked, "0") == 0);
        ok(SLUICE_OK, sluice_records_store(store, &made.message, correct, NULL, NULL));
        ok(SLUICE_OK, sluice_records_store(store, &made.message, NULL, NULL, NULL));
        ok(SLUICE_OK, sluice_records_known_state(store, T("co_z1"), take_state, text));
        must(strcmp(text, "1 s=310") == 0);
        ok(SLUICE_OK, sluice_records_load_known_state(store, T("co_z1"), take_state, NULL, text));
        must(strcmp(text, "1 s=310") == 0);
        // Gaps tell what is there.
        content(&made, "co_z1", NULL, "s", 400, 1);
        ok(SLUICE_ERROR, sluice_records_store(store, &made.message, correct, NULL, "none"));
        must(strcmp(asked, "1 s=310") == 0);
        // A dependency comes first, and once.
        for (int i = 0; i < 10; i++) ok(SLUICE_OK, put("co_z1", NULL, "s", 310 + 100 * i, 100));
        ok(SLUICE_OK, put(
          "co_z2", "{\\"type\\":\\"comap\\",\\"ruleset\\":{\\"type\\":\\"ownedByGroup\\",\\"group\\":\\"co_z1\\"}}",
          "s", 0, 1));
        ok(SLUICE_OK, sluice_records_unmount(store, T("co_z1")));
        ok(SLUICE_OK, sluice_records_load(store, T("co_z2"), see, NULL, &seen));
        must(seen.transactions == 1311 && seen.messages > 8 && seen.has_header);
        must(seen.expected == 1310);
        must(strncmp(seen.ids, "co_z1 co_z1 ", 12) == 0 && strstr(seen.ids, "co_z1 co_z2 "));
        int count = 0;
        ok(SLUICE_ABORT, sluice_records_load(store, T("co_z1"), stops, NULL, &count));
        must(count == 2);
        uint64_t values;
        ok(SLUICE_OK, sluice_records_count(store, &values, NULL, NULL));
        must(values == 2);
        *text = 0;
        ok(SLUICE_OK, sluice_records_ids(store, 10, 1, take, NULL, text));
        must(strcmp(text, "co_z2 ") == 0);
        ok(0, sluice_records_close(store, NULL, NULL));
        puts("done");
      }
      """)
  }

  @Test func syncStateLocksAndErasureWork() throws {
    try Fixture.runRecordsProgram(
      """
      static int had;
      static void current(void *context, sluice_records_present *present) {
        struct sluice_records_counter counter = {T("s"), had};
        struct sluice_records_state state = {T(context), &counter, 1, 1, 0};
        ok(0, sluice_records_present_is(present, &state));
      }
      int main() {
        char text[256] = "";
        ok(0, sluice_records_open("store", NULL, &store));
        struct sluice_records_update updates[3] = {
          {T("co_zB"), T("peer"), 0, 0}, {T("co_zA"), T("peer"), 0, 0}, {T("co_zB"), T("peer"), 1, 0}};
        ok(0, sluice_records_track(store, updates, 2, NULL, NULL));
        ok(0, sluice_records_unsynced(store, take, NULL, text));
        must(strcmp(text, "co_zA co_zB ") == 0);
        ok(0, sluice_records_track(store, updates + 2, 1, NULL, NULL));
        ok(0, sluice_records_stop_tracking(store, T("co_zA")));
        *text = 0;
        ok(0, sluice_records_unsynced(store, take, NULL, text));
        must(!*text);

        struct sluice_records_lock_answer answer;
        ok(0, sluice_records_lock(store, SLUICE_RECORDS_ACQUIRE, T("p"), T("h"), 0, &answer, NULL, NULL));
        must(answer.outcome == SLUICE_RECORDS_LOCK_DONE && answer.offset == 0);
        ok(0, sluice_records_lock(store, SLUICE_RECORDS_RENEW, T("p"), T("h"), 70, &answer, NULL, NULL));
        ok(0, sluice_records_lock(store, SLUICE_RECORDS_ACQUIRE, T("p"), T("i"), 0, &answer, NULL, NULL));
        must(answer.outcome == SLUICE_RECORDS_LOCK_HELD);
        ok(0, sluice_records_lock(store, SLUICE_RECORDS_RELEASE, T("p"), T("i"), 0, &answer, NULL, NULL));
        must(answer.outcome == SLUICE_RECORDS_LOCK_NOT_HOLDER);
        ok(0, sluice_records_lock(store, SLUICE_RECORDS_ACQUIRE, T("p"), T("h"), 0, &answer, NULL, NULL));
        must(answer.outcome == SLUICE_RECORDS_LOCK_DONE && answer.offset == 70);
        ok(0, sluice_records_lock(store, SLUICE_RECORDS_RELEASE, T("p"), T("h"), 0, &answer, NULL, NULL));
        ok(0, sluice_records_lock(store, SLUICE_RECORDS_ACQUIRE, T("p"), T("h"), 0, &answer, NULL, NULL));
        must(answer.outcome == SLUICE_RECORDS_LOCK_NOT_DUE);

        // In sync at once, after a store, after a change of the value, and after an unmount.
        ok(0, put("co_zA", header, "s", 0, 2));
        had = 2;
        ok(0, sluice_records_wait_for_sync(store, T("co_zA"), current, NULL, "co_zA"));
        had = 3;
        ok(0, sluice_records_wait_for_sync(store, T("co_zA"), current, note, "co_zA"));
        must(!*order);
        ok(0, put("co_zA", NULL, "s", 2, 1));
        must(strcmp(order, "co_zA0 ") == 0);
        had = 9;
        ok(0, sluice_records_wait_for_sync(store, T("co_zA"), current, note, "co_zA"));
        had = 3;
        ok(0, sluice_records_note_change(store, T("co_zA")));
        must(strcmp(order, "co_zA0 co_zA0 ") == 0);
        had = 9;
        ok(0, sluice_records_wait_for_sync(store, T("co_zA"), current, note, "co_zA"));
        ok(0, sluice_records_unmount(store, T("co_zA")));
        must(strcmp(order, "co_zA0 co_zA0 co_zA0 ") == 0);

        // Only what may be deleted and has a tombstone is erased.
        ok(0, put("co_zB", header, "s", 0, 5));
        ok(0, sluice_records_mark_delete_as_valid(store, T("co_zA")));
        ok(0, put("co_zA", NULL, "delete$", 0, 1));
        ok(0, put("co_zB", NULL, "delete$", 0, 1));
        ok(0, sluice_records_enable_erasure(store));
        ok(0, sluice_records_erase(store, NULL, NULL));
        ok(0, sluice_records_load_known_state(store, T("co_zA"), take_state, NULL, text));
        must(strcmp(text, "1 delete$=1") == 0);
        struct seen seen = {0};
        ok(0, sluice_records_load(store, T("co_zB"), see, NULL, &seen));
        must(seen.transactions == 6);
        ok(0, sluice_records_close(store, NULL, NULL));
        puts("done");
      }
      """)
  }

  @Test func callsOfManyThreadsEndOnceAndInOrder() throws {
    try Fixture.runRecordsProgram(
      """
      static char log[65536];
      static void says(void *context, int level, const char *text, size_t length) {
        (void)context; (void)level;
        snprintf(log, sizeof log, "%.*s", (int)length, text);
      }
      static volatile int closed;
      static void ends(void *context, int code) { closed = code == 0 && !context ? 1 : 2; }
      static void never(void *context, sluice_records_present *present) {
        struct sluice_records_state state = {T("co_z1"), NULL, 0, 1, 0};
        (void)context;
        sluice_records_present_is(present, &state);
      }
      static void *waits(void *context) {
        (void)context;
        ok(SLUICE_INTERRUPT, sluice_records_wait_for_sync(store, T("co_absent"), never, NULL, NULL));
        return NULL;
      }
      static void *stores(void *context) {
        char id[20];
        struct content *made = malloc(sizeof *made);
        for (int i = 0; i < 200; i++) {
          sprintf(id, "co_z%d", i);
          content(made, id, header, context, 0, 3);
          ok(0, sluice_records_store(store, &made->message, NULL, NULL, NULL));
        }
        free(made);
        return NULL;
      }
      int main() {
        struct sluice_records_options options = {sizeof options, .log = says};
        pthread_t threads[4];
        uint64_t count;
        ok(0, sluice_records_open("store", &options, &store));
        const char *names[4] = {"a", "b", "c", "d"};
        for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, stores, (void *)names[i]);
        for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
        ok(0, sluice_records_count(store, &count, NULL, NULL));
        must(count == 200);
        struct seen seen = {0};
        ok(0, sluice_records_load(store, T("co_z17"), see, NULL, &seen));
        must(seen.transactions == 12);

        static struct content made;
        for (int i = 0; i < 9; i++) {
          content(&made, "co_z0", i == 4 ? "{" : header, "e", i < 5 ? i : i - 1, 1);
          if (i == 4) made.message.id = T("co_new");
          ok(0, sluice_records_store(store, &made.message, NULL, note, (void *)("a\\0b\\0c\\0d\\0e\\0f\\0g\\0h\\0i" + 2 * i)));
        }
        ok(0, put("co_z0", NULL, "e", 8, 1));
        must(strcmp(order, "a0 b0 c0 d0 e1 f0 g0 h0 i0 ") == 0);
        must(strstr(log, "co_new"));

        pthread_create(&threads[0], NULL, waits, NULL);
        usleep(100000);
        ok(0, sluice_records_cancel(store));
        pthread_join(threads[0], NULL);

        // A waiter learns of the end, and `done` of the close is the last.
        *order = 0;
        ok(0, sluice_records_wait_for_sync(store, T("co_absent"), never, note, "wait"));
        ok(0, sluice_records_close(store, ends, NULL));
        for (int i = 0; i < 1000 && !closed; i++) usleep(10000);
        must(closed == 1 && strcmp(order, "wait1 ") == 0);
        puts("done");
      }
      """)
  }

  @Test func deathOfTheEngineAndForksAreTold() throws {
    try Fixture.runRecordsProgram(
      """
      int main(int argc, char **words) {
        uint64_t count;
        char text[256] = "";
        must(argc == 2);
        ok(0, sluice_records_open("store", NULL, &store));
        ok(0, put("co_z1", header, "s", 0, 3));
        pid_t child = fork();
        if (child == 0) {
          if (sluice_records_count(store, &count, NULL, NULL) != SLUICE_GONE) _exit(1);
          if (put("co_z1", header, "s", 3, 1) != SLUICE_GONE) _exit(2);
          _exit(sluice_records_close(store, NULL, NULL) == SLUICE_OK ? 0 : 3);
        }
        int status;
        waitpid(child, &status, 0);
        must(status == 0);
        ok(0, put("co_z1", NULL, "s", 3, 1));
        kill(atoi(words[1]), SIGKILL);
        int code = SLUICE_OK;
        for (int i = 4; i < 1000 && code == SLUICE_OK; i++) code = put("co_z1", NULL, "s", i, 1);
        ok(SLUICE_GONE, code);
        must(strstr(sluice_records_error_message(), "engine"));
        ok(SLUICE_GONE, sluice_records_count(store, &count, NULL, NULL));
        ok(SLUICE_GONE, sluice_records_load(store, T("co_z1"), see, NULL, NULL));
        ok(SLUICE_GONE, sluice_records_load_known_state(store, T("co_z1"), take_state, NULL, text));
        ok(SLUICE_GONE, sluice_records_erase(store, NULL, NULL));
        ok(0, sluice_records_known_state(store, T("co_z1"), take_state, text));
        must(strncmp(text, "1 s=", 4) == 0);
        ok(0, sluice_records_close(store, NULL, NULL));
        puts("done");
      }
      """)
  }
}
