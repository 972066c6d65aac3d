// cc example.c -Ibuild/include -Lbuild/lib -lsluice-records -o example && ./example notes.records
#include <sluice_records.h>
#include <stdio.h>
#include <string.h>

#define T SLUICE_RECORDS_TEXT

static int failed(sluice_records *store) {
  fprintf(stderr, "%s (code %d)\n", sluice_records_error_message(), sluice_records_error_code());
  sluice_records_close(store, NULL, NULL);
  return 1;
}

static int print(void *context, const struct sluice_records_message *message) {
  (void)context;
  for (size_t s = 0; s < message->session_count; s++)
    for (size_t t = 0; t < message->sessions[s].transaction_count; t++) {
      struct sluice_records_text text = message->sessions[s].transactions[t];
      printf("%.*s\n", (int)text.length, text.bytes);
    }
  return 0;
}

int main(int count, char **words) {
  sluice_records *store;
  if (sluice_records_open(count > 1 ? words[1] : ":memory:", NULL, &store)) return failed(NULL);

  struct sluice_records_text transaction =
      T("{\"privacy\":\"trusting\",\"madeAt\":1,\"changes\":\"[]\"}");
  struct sluice_records_session session = {
      T("co_zAlice_session_z1"), T("signature_z1"), &transaction, 1, 0};
  struct sluice_records_message message = {
      .id = T("co_zNote"), .header = T("{\"type\":\"comap\",\"ruleset\":{\"type\":\"unsafeAllowAll\"}}"),
      .sessions = &session, .session_count = 1};
  // With NULL for `done`, a call waits. The second NULL says that there are no corrections.
  if (sluice_records_store(store, &message, NULL, NULL, NULL)) return failed(store);
  if (sluice_records_load(store, message.id, print, NULL, NULL)) return failed(store);
  return sluice_records_close(store, NULL, NULL);
}
