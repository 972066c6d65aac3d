// A program in C with records against a shared engine.

import Foundation
import Testing

extension Fixture {
  /// What such programs begin with. `ok` ends them where a code is another one. `put` stores transactions
  /// of the session `name` from index `after` on.
  private static let recordsPrelude = """
    #include <pthread.h>
    #include <signal.h>
    #include <sluice_records.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/wait.h>
    #include <unistd.h>
    #define T SLUICE_RECORDS_TEXT
    static sluice_records *store;
    #define ok(wanted, call) do { int got = (call); if (got != (wanted)) { \\
      printf("line %d: code %d: %s\\n", __LINE__, got, sluice_records_error_message()); exit(1); } } while (0)
    #define must(what) do { if (!(what)) { \\
      printf("line %d: %s: %s\\n", __LINE__, #what, sluice_records_error_message()); exit(1); } } while (0)
    static const char *header = "{\\"type\\":\\"comap\\",\\"ruleset\\":{\\"type\\":\\"unsafeAllowAll\\"}}";
    struct content {
      struct sluice_records_text transactions[1000];
      char bytes[1000][64];
      struct sluice_records_session session;
      struct sluice_records_message message;
    };
    static inline const struct sluice_records_message *content(
        struct content *made, const char *id, const char *head, const char *name, int after, int count) {
      for (int i = 0; i < count; i++) {
        sprintf(made->bytes[i], "{\\"privacy\\":\\"trusting\\",\\"madeAt\\":%d,\\"changes\\":\\"[]\\"}", after + i);
        made->transactions[i] = T(made->bytes[i]);
      }
      made->session = (struct sluice_records_session){
        T(name), T("signature"), made->transactions, count, after};
      made->message = (struct sluice_records_message){
        .id = T(id), .sessions = &made->session, .session_count = 1};
      if (head) made->message.header = T(head);
      return &made->message;
    }
    static inline int put(const char *id, const char *head, const char *name, int after, int count) {
      static struct content made;
      return sluice_records_store(store, content(&made, id, head, name, after, count), NULL, NULL, NULL);
    }
    struct seen { int messages, transactions, has_header; uint64_t expected; char ids[4096]; };
    static inline int see(void *context, const struct sluice_records_message *message) {
      struct seen *seen = context;
      seen->messages++;
      for (size_t s = 0; s < message->session_count; s++)
        seen->transactions += message->sessions[s].transaction_count;
      if (message->expected_count) seen->expected = message->expected[0].count;
      seen->has_header = message->header.bytes != NULL;
      sprintf(seen->ids + strlen(seen->ids), "%.*s ", (int)message->id.length, message->id.bytes);
      return 0;
    }
    static inline void take(void *context, struct sluice_records_text id) {
      sprintf((char *)context + strlen(context), "%.*s ", (int)id.length, id.bytes);
    }
    static inline void take_state(void *context, const struct sluice_records_state *state) {
      char *text = context;
      text += sprintf(text, "%d", state->has_header);
      for (size_t i = 0; i < state->counter_count; i++)
        text += sprintf(text, " %.*s=%d", (int)state->counters[i].session.length,
          state->counters[i].session.bytes, (int)state->counters[i].count);
    }
    // What was done, in the order of the calls of `done`.
    static char order[4096];
    static inline void note(void *context, int code) {
      sprintf(order + strlen(order), "%s%d ", (const char *)context, code);
    }

    """

  /// Runs a program against a shared engine. Its argument is the engine's process. It has to print
  /// "done".
  static func runRecordsProgram(_ body: String) throws {
    let fixture = try Fixture()
    let engine = try fixture.startEngine()
    let program = try fixture.compileRecords("program", recordsPrelude + body)
    try fixture.run([program, "\(engine.id)"], fixture.engineEnvironment(), within: 60)
      .expectLines(["done"])
  }
}
