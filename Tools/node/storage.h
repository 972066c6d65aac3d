// A storage as JavaScript has it: its store, and what JavaScript is told of it.
//
// Threads. JavaScript's thread never waits: it calls the forms with `done`, and takes a lock that is held
// for moments only. The storage's thread waits for JavaScript: for a correction, and while more than
// `queued_maximum` bytes of loaded messages are on their way. `dead` ends both waits, and from then on
// nothing is posted, so the environment may go.
//
// Lifetime. A storage is freed when its close is done and JavaScript has lost its object, or with the
// environment.
#ifndef SLUICE_NODE_STORAGE_H
#define SLUICE_NODE_STORAGE_H

#define NAPI_VERSION 8
#include <node_api.h>
#include <pthread.h>

#include "text.h"

struct storage {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  sluice_records *store;  // NULL after close
  napi_threadsafe_function events;
  bool dead;              // JavaScript is told nothing more
  bool has_answer;        // to the correction that the storage's thread waits for
  struct bytes answer;
  bool is_corrected;
  size_t queued;          // bytes of messages that JavaScript has not seen
  int holders;            // JavaScript's object, and the open store
};

// A call under way.
struct call {
  struct storage *storage;
  double number;
  struct bytes result;    // JSON, told before the end
  uint64_t count;
  struct sluice_records_lock_answer lock;
};

// In JavaScript's thread: calls listener(kind, number, code, text) with what was posted.
void tell(napi_env env, napi_value listener, void *context, void *event);

// For the functions of sluice_records.h, with a `call` as their context; in the storage's thread.
void end_call(void *context, int code);
void end_count(void *context, int code);
void end_lock(void *context, int code);
void end_ids(void *context, int code);
void end_close(void *context, int code);
void take_id(void *context, struct sluice_records_text id);
void take_state(void *context, const struct sluice_records_state *state);
int receive(void *context, const struct sluice_records_message *message);
// Waits for JavaScript's answer, and stores that.
int correct(
    void *context, const struct sluice_records_state *state, sluice_records_correction *correction);
// The same with a storage.
void say(void *context, int level, const char *words, size_t length);

// JavaScript's thread ends. Nothing is posted from now on.
void leave(void *storage);
// One holder less; frees it after the last.
void release(struct storage *storage);

#endif
