#include <string.h>

#include <CSluice.h>

#include "records_error.h"
#include "sluice_records.h"

#define EXPORTED __attribute__((visibility("default")))

// Bindings write these structs without the header.
_Static_assert(sizeof(struct sluice_records_text) == 16, "text");
_Static_assert(sizeof(struct sluice_records_counter) == 24, "counter");
_Static_assert(sizeof(struct sluice_records_state) == 40, "state");
_Static_assert(sizeof(struct sluice_records_session) == 56, "session");
_Static_assert(sizeof(struct sluice_records_message) == 72, "message");
_Static_assert(sizeof(struct sluice_records_options) == 56, "options");
_Static_assert(sizeof(struct sluice_records_update) == 40, "update");
_Static_assert(sizeof(struct sluice_records_lock_answer) == 16, "lock answer");

static _Thread_local struct {
  int code;
  char message[512];
} last;

void records_note(int code, const unsigned char *text, size_t length) {
  size_t count = length < sizeof last.message ? length : sizeof last.message - 1;
  // Not within a character.
  if (count < length)
    while (count > 0 && (text[count] & 0xc0) == 0x80) count--;
  last.code = code;
  if (count > 0) memcpy(last.message, text, count);
  last.message[count] = 0;
}

EXPORTED int sluice_records_error_code(void) { return last.code; }
EXPORTED const char *sluice_records_error_message(void) { return last.message; }
EXPORTED const char *sluice_records_version(void) { return SLUICE_VERSION; }
