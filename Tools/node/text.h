// The texts that cross between JavaScript and C. Towards C they are fields that end with a zero byte, which
// occurs in no name and in no text of JSON.stringify. Towards JavaScript they are JSON texts.
#ifndef SLUICE_NODE_TEXT_H
#define SLUICE_NODE_TEXT_H

#include <sluice_records.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct bytes {
  char *start;
  size_t length, capacity;
};

// The memory; ends the process if there is none, as JavaScript does.
static inline void *checked(void *memory) {
  if (!memory) abort();
  return memory;
}

void add(struct bytes *bytes, const void *start, size_t length);
void add_text(struct bytes *bytes, const char *text);
void add_number(struct bytes *bytes, uint64_t number);
// A string of JSON.
void add_string(struct bytes *bytes, struct sluice_records_text text);
// A CoValueKnownState, and a NewContentMessage, of cojson.
void add_state(struct bytes *bytes, const struct sluice_records_state *state);
void add_message(struct bytes *bytes, const struct sluice_records_message *message);

struct fields {
  char *next, *end;
  bool failed;  // a field was missing
};

struct sluice_records_text field(struct fields *fields);
uint64_t number_field(struct fields *fields);

// A message has its lists in memory that `drop` frees.
struct given {
  struct sluice_records_message message;
  struct sluice_records_session *sessions;
  struct sluice_records_text *transactions;
};

// id, header or nothing, count of sessions, count of all transactions; for each session: name, after,
// signature, count of transactions, and those. False if it is not that.
bool read_message(struct fields *fields, struct given *given);
void drop(struct given *given);

#endif
