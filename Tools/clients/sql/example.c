// cc example.c -Ibuild/include -Lbuild/lib -lsluice-sql -o example && ./example notes.db
#include <inttypes.h>
#include <sluice.h>
#include <stdio.h>
#include <string.h>

static int failed(sluice_connection *db) {
  fprintf(stderr, "%s (code %d)\n", sluice_error_message(db), sluice_error_code(db));
  sluice_close(db);
  return 1;
}

int main(int count, char **words) {
  const char *schema = "CREATE TABLE IF NOT EXISTS note(id INTEGER PRIMARY KEY, text TEXT)";
  const char *insert = "INSERT INTO note(text) VALUES (?1)";
  const char *texts[] = {"storage", "out of", "the process"};
  sluice_connection *db;
  sluice_result *rows;
  if (sluice_open(count > 1 ? words[1] : ":memory:", NULL, SLUICE_EITHER, -1, &db)) return failed(db);
  if (sluice_execute(db, schema, -1, NULL, 0, 0, NULL)) return failed(db);

  struct sluice_value values[3];
  struct sluice_batch_step steps[3];
  for (int i = 0; i < 3; i++) {
    values[i] = (struct sluice_value){SLUICE_TEXT, 0, strlen(texts[i]), {.bytes = texts[i]}};
    steps[i] = (struct sluice_batch_step){insert, -1, &values[i], 1};
  }
  if (sluice_batch(db, steps, 3, 1, 0, NULL, NULL)) return failed(db);

  if (sluice_execute(db, "SELECT id, text FROM note", -1, NULL, 0, 0, &rows)) return failed(db);
  int code;
  while ((code = sluice_step(rows)) == SLUICE_ROW) {
    size_t length;
    const char *text = sluice_column_text(rows, 1, &length);
    printf("%" PRId64 " %.*s\n", sluice_column_int64(rows, 0), (int)length, text);
  }
  sluice_result_close(rows);
  return code == SLUICE_DONE ? sluice_close(db) : failed(db);
}
