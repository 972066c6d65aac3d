#include "storage.h"

// As in sluice-records.js.
enum event_kind { EVENT_DONE, EVENT_MESSAGE, EVENT_CORRECTION, EVENT_LOG };

static const size_t queued_maximum = 4 << 20;

struct event {
  enum event_kind kind;
  double number;
  int code;
  struct storage *storage;
  struct bytes text;
};

// --- Events --------------------------------------------------------------------------------------

void release(struct storage *storage) {
  pthread_mutex_lock(&storage->lock);
  bool is_last = --storage->holders == 0;
  pthread_mutex_unlock(&storage->lock);
  if (!is_last) return;
  pthread_mutex_destroy(&storage->lock);
  pthread_cond_destroy(&storage->changed);
  free(storage->answer.start);
  free(storage);
}

// Tells JavaScript something; the text is the event's from now on. False if nobody is told any more.
static bool post(
    struct storage *storage, enum event_kind kind, double number, int code, struct bytes text) {
  struct event *event = checked(malloc(sizeof *event));
  *event = (struct event){kind, number, code, storage, text};
  pthread_mutex_lock(&storage->lock);
  bool is_posted = !storage->dead
    && napi_call_threadsafe_function(storage->events, event, napi_tsfn_nonblocking) == napi_ok;
  // The event may be gone.
  if (is_posted && kind == EVENT_MESSAGE) storage->queued += text.length;
  pthread_mutex_unlock(&storage->lock);
  if (!is_posted) {
    free(text.start);
    free(event);
  }
  return is_posted;
}

void tell(napi_env env, napi_value listener, void *context, void *data) {
  struct event *event = data;
  (void)context;
  if (env) {
    napi_value arguments[4], nothing;
    napi_get_undefined(env, &nothing);
    napi_create_int32(env, event->kind, &arguments[0]);
    napi_create_double(env, event->number, &arguments[1]);
    napi_create_int32(env, event->code, &arguments[2]);
    if (napi_create_string_utf8(env, event->text.start ? event->text.start : "", event->text.length,
                                &arguments[3]) != napi_ok)
      arguments[3] = nothing;
    if (event->kind == EVENT_MESSAGE) {
      pthread_mutex_lock(&event->storage->lock);
      event->storage->queued -= event->text.length;
      pthread_cond_signal(&event->storage->changed);
      pthread_mutex_unlock(&event->storage->lock);
    }
    // What the program's own functions throw is an uncaught exception, as with Node's own events.
    if (napi_call_function(env, nothing, listener, 4, arguments, NULL) == napi_pending_exception) {
      napi_value error;
      if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
    }
  }
  free(event->text.start);
  free(event);
}

// --- In the storage's thread ---------------------------------------------------------------------

void end_call(void *context, int code) {
  struct call *call = context;
  struct bytes text = {0};
  if (code != SLUICE_OK) {
    add_text(&text, sluice_records_error_message());
  } else {
    text = call->result;
    call->result = (struct bytes){0};
  }
  post(call->storage, EVENT_DONE, call->number, code, text);
  free(call->result.start);
  free(call);
}

void end_count(void *context, int code) {
  struct call *call = context;
  add_number(&call->result, call->count);
  end_call(call, code);
}

void end_lock(void *context, int code) {
  struct call *call = context;
  add_text(&call->result, "[");
  add_number(&call->result, (uint64_t)call->lock.outcome);
  add_text(&call->result, ",");
  add_number(&call->result, call->lock.offset);
  add_text(&call->result, "]");
  end_call(call, code);
}

void end_ids(void *context, int code) {
  struct call *call = context;
  add_text(&call->result, call->result.length == 0 ? "[]" : "]");
  end_call(call, code);
}

void take_id(void *context, struct sluice_records_text id) {
  struct call *call = context;
  add_text(&call->result, call->result.length == 0 ? "[" : ",");
  add_string(&call->result, id);
}

void take_state(void *context, const struct sluice_records_state *state) {
  add_state(&((struct call *)context)->result, state);
}

int receive(void *context, const struct sluice_records_message *message) {
  struct call *call = context;
  struct storage *storage = call->storage;
  struct bytes text = {0};
  add_message(&text, message);
  pthread_mutex_lock(&storage->lock);
  while (storage->queued > queued_maximum && !storage->dead)
    pthread_cond_wait(&storage->changed, &storage->lock);
  pthread_mutex_unlock(&storage->lock);
  return !post(storage, EVENT_MESSAGE, call->number, 0, text);
}

int correct(
    void *context, const struct sluice_records_state *state, sluice_records_correction *correction) {
  struct call *call = context;
  struct storage *storage = call->storage;
  struct bytes text = {0};
  add_state(&text, state);
  if (!post(storage, EVENT_CORRECTION, call->number, 0, text)) return 1;
  pthread_mutex_lock(&storage->lock);
  while (!storage->has_answer && !storage->dead)
    pthread_cond_wait(&storage->changed, &storage->lock);
  bool is_corrected = storage->has_answer && storage->is_corrected;
  struct bytes answer = storage->answer;
  storage->answer = (struct bytes){0};
  storage->has_answer = false;
  pthread_mutex_unlock(&storage->lock);
  struct fields fields = {answer.start, answer.start + answer.length, false};
  uint64_t count = is_corrected ? number_field(&fields) : 0;
  for (uint64_t i = 0; i < count && is_corrected; i++) {
    struct given given;
    is_corrected = read_message(&fields, &given)
      && sluice_records_correct_by(correction, &given.message) == SLUICE_OK;
    drop(&given);
  }
  free(answer.start);
  return !is_corrected;
}

void say(void *context, int level, const char *words, size_t length) {
  struct bytes text = {0};
  add(&text, words, length);
  post(context, EVENT_LOG, 0, level, text);
}

static void end_store(void *context, int code) {
  (void)code;
  release(context);
}

void end_close(void *context, int code) {
  struct storage *storage = ((struct call *)context)->storage;
  end_call(context, code);
  release(storage);
}

// --- The environment's end -----------------------------------------------------------------------

void leave(void *context) {
  struct storage *storage = context;
  pthread_mutex_lock(&storage->lock);
  storage->dead = true;
  sluice_records *store = storage->store;
  storage->store = NULL;
  pthread_cond_broadcast(&storage->changed);
  pthread_mutex_unlock(&storage->lock);
  if (store) sluice_records_close(store, end_store, storage);
}
