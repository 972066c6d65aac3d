#include "text.h"

#include <stdio.h>

// --- Bytes ---------------------------------------------------------------------------------------

void add(struct bytes *bytes, const void *start, size_t length) {
  if (bytes->capacity - bytes->length < length) {
    bytes->capacity = (bytes->length + length) * 2;
    bytes->start = checked(realloc(bytes->start, bytes->capacity));
  }
  if (length > 0) memcpy(bytes->start + bytes->length, start, length);
  bytes->length += length;
}

void add_text(struct bytes *bytes, const char *text) { add(bytes, text, strlen(text)); }

void add_number(struct bytes *bytes, uint64_t number) {
  char text[24];
  add(bytes, text, (size_t)snprintf(text, sizeof text, "%llu", (unsigned long long)number));
}

void add_string(struct bytes *bytes, struct sluice_records_text text) {
  size_t done = 0;
  add_text(bytes, "\"");
  for (size_t i = 0; i < text.length; i++) {
    unsigned char byte = (unsigned char)text.bytes[i];
    if (byte >= ' ' && byte != '"' && byte != '\\') continue;
    char escape[8];
    add(bytes, text.bytes + done, i - done);
    add(bytes, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", byte));
    done = i + 1;
  }
  if (text.length > 0) add(bytes, text.bytes + done, text.length - done);
  add_text(bytes, "\"");
}

static void add_counters(
    struct bytes *bytes, const struct sluice_records_counter *counters, size_t count) {
  add_text(bytes, "{");
  for (size_t i = 0; i < count; i++) {
    if (i > 0) add_text(bytes, ",");
    add_string(bytes, counters[i].session);
    add_text(bytes, ":");
    add_number(bytes, counters[i].count);
  }
  add_text(bytes, "}");
}

void add_state(struct bytes *bytes, const struct sluice_records_state *state) {
  add_text(bytes, "{\"id\":");
  add_string(bytes, state->id);
  add_text(bytes, state->has_header ? ",\"header\":true,\"sessions\":" : ",\"header\":false,\"sessions\":");
  add_counters(bytes, state->counters, state->counter_count);
  add_text(bytes, "}");
}

void add_message(struct bytes *bytes, const struct sluice_records_message *message) {
  add_text(bytes, "{\"action\":\"content\",\"id\":");
  add_string(bytes, message->id);
  if (message->header.bytes) {
    add_text(bytes, ",\"header\":");
    add(bytes, message->header.bytes, message->header.length);
  }
  add_text(bytes, ",\"priority\":");
  add_number(bytes, message->priority);
  add_text(bytes, ",\"new\":{");
  for (size_t i = 0; i < message->session_count; i++) {
    const struct sluice_records_session *session = &message->sessions[i];
    if (i > 0) add_text(bytes, ",");
    add_string(bytes, session->session);
    add_text(bytes, ":{\"after\":");
    add_number(bytes, session->after);
    add_text(bytes, ",\"lastSignature\":");
    add_string(bytes, session->last_signature);
    add_text(bytes, ",\"newTransactions\":[");
    for (size_t j = 0; j < session->transaction_count; j++) {
      if (j > 0) add_text(bytes, ",");
      add(bytes, session->transactions[j].bytes, session->transactions[j].length);
    }
    add_text(bytes, "]}");
  }
  add_text(bytes, "}");
  if (message->expected) {
    add_text(bytes, ",\"expectContentUntil\":");
    add_counters(bytes, message->expected, message->expected_count);
  }
  add_text(bytes, "}");
}

// --- Fields from JavaScript ----------------------------------------------------------------------

struct sluice_records_text field(struct fields *fields) {
  char *stop = fields->failed ? NULL : memchr(fields->next, 0, (size_t)(fields->end - fields->next));
  if (!stop) {
    fields->failed = true;
    return (struct sluice_records_text){"", 0};
  }
  struct sluice_records_text text = {fields->next, (size_t)(stop - fields->next)};
  fields->next = stop + 1;
  return text;
}

uint64_t number_field(struct fields *fields) {
  return strtoull(field(fields).bytes, NULL, 10);
}

void drop(struct given *given) {
  free(given->sessions);
  free(given->transactions);
}

bool read_message(struct fields *fields, struct given *given) {
  memset(given, 0, sizeof *given);
  given->message.id = field(fields);
  struct sluice_records_text header = field(fields);
  if (header.length > 0) given->message.header = header;
  size_t session_count = number_field(fields), transaction_count = number_field(fields);
  size_t rest = (size_t)(fields->end - fields->next);
  if (fields->failed || session_count > rest || transaction_count > rest) return false;
  given->sessions = checked(calloc(session_count + 1, sizeof *given->sessions));
  given->transactions = checked(calloc(transaction_count + 1, sizeof *given->transactions));
  struct sluice_records_text *transaction = given->transactions;
  for (size_t i = 0; i < session_count; i++) {
    struct sluice_records_session *session = &given->sessions[i];
    session->session = field(fields);
    session->after = number_field(fields);
    session->last_signature = field(fields);
    session->transaction_count = number_field(fields);
    session->transactions = transaction;
    if (fields->failed || session->transaction_count > transaction_count) return false;
    transaction_count -= session->transaction_count;
    for (size_t j = 0; j < session->transaction_count; j++) *transaction++ = field(fields);
  }
  given->message.sessions = given->sessions;
  given->message.session_count = session_count;
  return !fields->failed;
}
