// sluice_records.h for JavaScript: the functions that sluice-records.js calls. storage.h says who waits for
// whom, text.h in which texts things cross.
#include <stdio.h>

#include "storage.h"

static const napi_type_tag storage_tag = {0x5d1c0b7e4a8f4c21, 0x9e27b1f30c6da845};

// --- Arguments -----------------------------------------------------------------------------------

static napi_value type_error(napi_env env, const char *message) {
  napi_throw_type_error(env, NULL, message);
  return NULL;
}

// Gets `count` arguments, of which the first is an open storage; NULL if they are not that.
static struct storage *storage_of(
    napi_env env, napi_callback_info info, size_t count, napi_value *arguments) {
  size_t given = count;
  bool is_storage = false;
  void *storage = NULL;
  if (napi_get_cb_info(env, info, &given, arguments, NULL, NULL) == napi_ok && given >= count
      && napi_check_object_type_tag(env, arguments[0], &storage_tag, &is_storage) == napi_ok
      && is_storage && napi_unwrap(env, arguments[0], &storage) == napi_ok)
    return storage;
  type_error(env, "not a storage");
  return NULL;
}

// A string with its own memory, zero at its end; false after a TypeError.
static bool take_text(napi_env env, napi_value value, struct bytes *text) {
  size_t length = 0;
  *text = (struct bytes){0};
  if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok) {
    type_error(env, "not a string");
    return false;
  }
  text->capacity = length + 1;
  text->start = checked(malloc(text->capacity));
  napi_get_value_string_utf8(env, value, text->start, text->capacity, &text->length);
  return true;
}

static bool take_number(napi_env env, napi_value value, double *number) {
  if (napi_get_value_double(env, value, number) == napi_ok) return true;
  type_error(env, "not a number");
  return false;
}

static napi_value code_value(napi_env env, int code) {
  napi_value value;
  napi_create_int32(env, code, &value);
  return value;
}

// --- Functions for JavaScript --------------------------------------------------------------------

// Functions on a value: (storage, id) → code.
typedef int (*id_function)(sluice_records *, struct sluice_records_text);

static napi_value call_with_id(napi_env env, napi_callback_info info, id_function function) {
  napi_value arguments[2];
  struct bytes id;
  struct storage *storage = storage_of(env, info, 2, arguments);
  if (!storage || !take_text(env, arguments[1], &id)) return NULL;
  int code = function(storage->store, (struct sluice_records_text){id.start, id.length});
  free(id.start);
  return code_value(env, code);
}

static napi_value js_unmount(napi_env env, napi_callback_info info) {
  return call_with_id(env, info, sluice_records_unmount);
}
static napi_value js_mark(napi_env env, napi_callback_info info) {
  return call_with_id(env, info, sluice_records_mark_delete_as_valid);
}
static napi_value js_stop_tracking(napi_env env, napi_callback_info info) {
  return call_with_id(env, info, sluice_records_stop_tracking);
}

static napi_value js_enable_erasure(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  struct storage *storage = storage_of(env, info, 1, arguments);
  return storage ? code_value(env, sluice_records_enable_erasure(storage->store)) : NULL;
}

// (storage, id) → JSON, or undefined
static napi_value js_known_state(napi_env env, napi_callback_info info) {
  napi_value arguments[2], value = NULL;
  struct bytes id;
  struct call call = {0};
  struct storage *storage = storage_of(env, info, 2, arguments);
  if (!storage || !take_text(env, arguments[1], &id)) return NULL;
  if (sluice_records_known_state(
        storage->store, (struct sluice_records_text){id.start, id.length}, take_state, &call) == 0)
    napi_create_string_utf8(env, call.result.start, call.result.length, &value);
  free(id.start);
  free(call.result.start);
  return value;
}

// Calls that are told of their end. What they are given is in fields.
typedef int (*text_function)(struct call *, struct fields *);

static int begin_store(struct call *call, struct fields *fields) {
  struct given given;
  int code = read_message(fields, &given)
    ? sluice_records_store(call->storage->store, &given.message, correct, end_call, call)
    : SLUICE_MISUSE;
  drop(&given);
  return code;
}

static int begin_load(struct call *call, struct fields *fields) {
  return sluice_records_load(call->storage->store, field(fields), receive, end_call, call);
}

static int begin_known_state(struct call *call, struct fields *fields) {
  return sluice_records_load_known_state(
      call->storage->store, field(fields), take_state, end_call, call);
}

static int begin_erase(struct call *call, struct fields *fields) {
  (void)fields;
  return sluice_records_erase(call->storage->store, end_call, call);
}

// count; for each: id, peer, 0 or 1
static int begin_track(struct call *call, struct fields *fields) {
  size_t count = number_field(fields);
  if (count > (size_t)(fields->end - fields->next)) return SLUICE_MISUSE;
  struct sluice_records_update *updates = checked(calloc(count + 1, sizeof *updates));
  for (size_t i = 0; i < count; i++) {
    updates[i].id = field(fields);
    updates[i].peer = field(fields);
    updates[i].is_synced = (int32_t)number_field(fields);
  }
  int code = fields->failed
    ? SLUICE_MISUSE
    : sluice_records_track(call->storage->store, updates, count, end_call, call);
  free(updates);
  return code;
}

static int begin_unsynced(struct call *call, struct fields *fields) {
  (void)fields;
  return sluice_records_unsynced(call->storage->store, take_id, end_ids, call);
}

// limit, offset
static int begin_ids(struct call *call, struct fields *fields) {
  uint64_t limit = number_field(fields), offset = number_field(fields);
  return sluice_records_ids(call->storage->store, limit, offset, take_id, end_ids, call);
}

static int begin_count(struct call *call, struct fields *fields) {
  (void)fields;
  return sluice_records_count(call->storage->store, &call->count, end_count, call);
}

// action, peer, holder, offset
static int begin_lock(struct call *call, struct fields *fields) {
  int action = (int)number_field(fields);
  struct sluice_records_text peer = field(fields), holder = field(fields);
  uint64_t offset = number_field(fields);
  return sluice_records_lock(
      call->storage->store, action, peer, holder, offset, &call->lock, end_lock, call);
}

static int begin_close(struct call *call, struct fields *fields) {
  (void)fields;
  sluice_records *store = call->storage->store;
  if (!store) return SLUICE_MISUSE;
  call->storage->store = NULL;
  return sluice_records_close(store, end_close, call);
}

static const struct {
  const char *name;
  text_function begin;
} beginnings[] = {
  {"store", begin_store}, {"load", begin_load}, {"loadKnownState", begin_known_state},
  {"erase", begin_erase}, {"track", begin_track}, {"unsynced", begin_unsynced}, {"ids", begin_ids},
  {"count", begin_count}, {"lock", begin_lock}, {"close", begin_close},
};

// (storage, number, text) → code: 0 if `number` will be told of its end
static napi_value js_begin(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  void *data;
  double number;
  struct bytes text;
  struct storage *storage = storage_of(env, info, 3, arguments);
  napi_get_cb_info(env, info, NULL, NULL, NULL, &data);
  if (!storage || !take_number(env, arguments[1], &number) || !take_text(env, arguments[2], &text))
    return NULL;
  struct call *call = checked(calloc(1, sizeof *call));
  call->storage = storage;
  call->number = number;
  // `call` may be over, and freed, when this returns SLUICE_OK.
  text_function begin = beginnings[(size_t)data].begin;
  int code = begin(call, &(struct fields){text.start, text.start + text.length, false});
  if (code != SLUICE_OK) free(call);
  free(text.start);
  return code_value(env, code);
}

// (storage, text or undefined): what the storage's thread waits for in `correct`
static napi_value js_correct(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  napi_valuetype type;
  struct bytes text = {0};
  struct storage *storage = storage_of(env, info, 2, arguments);
  if (!storage) return NULL;
  napi_typeof(env, arguments[1], &type);
  if (type != napi_undefined && !take_text(env, arguments[1], &text)) return NULL;
  pthread_mutex_lock(&storage->lock);
  free(storage->answer.start);
  storage->answer = text;
  storage->is_corrected = type != napi_undefined;
  storage->has_answer = true;
  pthread_cond_signal(&storage->changed);
  pthread_mutex_unlock(&storage->lock);
  return NULL;
}

// (storage, whether something is under way): whether Node waits for the storage before it ends
static napi_value js_hold(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  bool holds = false;
  struct storage *storage = storage_of(env, info, 2, arguments);
  if (!storage) return NULL;
  if (napi_get_value_bool(env, arguments[1], &holds) != napi_ok) return type_error(env, "not a boolean");
  pthread_mutex_lock(&storage->lock);
  if (storage->dead) {
    // The function for events may be gone.
  } else if (holds) {
    napi_ref_threadsafe_function(env, storage->events);
  } else {
    napi_unref_threadsafe_function(env, storage->events);
  }
  pthread_mutex_unlock(&storage->lock);
  return NULL;
}

// (storage): its close was told
static napi_value js_closed(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  struct storage *storage = storage_of(env, info, 1, arguments);
  if (!storage) return NULL;
  pthread_mutex_lock(&storage->lock);
  if (!storage->dead) napi_release_threadsafe_function(storage->events, napi_tsfn_release);
  storage->dead = true;
  pthread_mutex_unlock(&storage->lock);
  napi_remove_env_cleanup_hook(env, leave, storage);
  return NULL;
}

// --- Opening -------------------------------------------------------------------------------------

struct opening {
  napi_async_work work;
  napi_deferred deferred;
  struct storage *storage;
  char *path, *socket;
  struct sluice_records_options options;
  int code;
  char message[512];
};

static void forget(napi_env env, void *context, void *hint) {
  (void)env;
  (void)hint;
  release(context);
}

// In a thread of Node's pool: connecting may take long.
static void open_store(napi_env env, void *data) {
  struct opening *opening = data;
  (void)env;
  opening->options.byte_count = sizeof opening->options;
  opening->options.socket = opening->socket;
  opening->options.log = say;
  opening->options.log_context = opening->storage;
  opening->code = sluice_records_open(opening->path, &opening->options, &opening->storage->store);
  if (opening->code)
    snprintf(opening->message, sizeof opening->message, "%s", sluice_records_error_message());
}

static void reject(napi_env env, struct opening *opening) {
  napi_value message, error, code;
  napi_create_string_utf8(env, opening->message, NAPI_AUTO_LENGTH, &message);
  napi_create_error(env, NULL, message, &error);
  napi_create_int32(env, opening->code, &code);
  napi_set_named_property(env, error, "errcode", code);
  napi_reject_deferred(env, opening->deferred, error);
}

static void end_opening(napi_env env, napi_status status, void *data) {
  struct opening *opening = data;
  struct storage *storage = opening->storage;
  if (status != napi_ok || opening->code) {
    reject(env, opening);
    storage->dead = true;
    napi_release_threadsafe_function(storage->events, napi_tsfn_release);
    release(storage);
  } else {
    napi_value object;
    napi_create_object(env, &object);
    storage->holders = 2;
    napi_wrap(env, object, storage, forget, NULL, NULL);
    napi_type_tag_object(env, object, &storage_tag);
    napi_unref_threadsafe_function(env, storage->events);
    napi_add_env_cleanup_hook(env, leave, storage);
    napi_resolve_deferred(env, opening->deferred, object);
  }
  napi_delete_async_work(env, opening->work);
  free(opening->path);
  free(opening->socket);
  free(opening);
}

// (path, socket or "", mode, durability, busyMilliseconds, signatureInterval, listener) → promise
static napi_value js_open(napi_env env, napi_callback_info info) {
  napi_value arguments[7], promise, name;
  napi_valuetype type = napi_undefined;
  size_t count = 7;
  double numbers[4];
  struct bytes path, socket;
  if (napi_get_cb_info(env, info, &count, arguments, NULL, NULL) != napi_ok || count < 7)
    return type_error(env, "too few arguments");
  napi_typeof(env, arguments[6], &type);
  if (type != napi_function) return type_error(env, "not a function");
  for (int i = 0; i < 4; i++)
    if (!take_number(env, arguments[2 + i], &numbers[i])) return NULL;
  if (!take_text(env, arguments[0], &path)) return NULL;
  if (!take_text(env, arguments[1], &socket)) {
    free(path.start);
    return NULL;
  }
  struct opening *opening = checked(calloc(1, sizeof *opening));
  opening->path = path.start;
  if (socket.length > 0) opening->socket = socket.start; else free(socket.start);
  opening->options.mode = (uint32_t)numbers[0];
  opening->options.durability = (uint32_t)numbers[1];
  opening->options.busy_milliseconds = (int64_t)numbers[2];
  opening->options.signature_interval = (uint64_t)numbers[3];
  struct storage *storage = opening->storage = checked(calloc(1, sizeof *storage));
  pthread_mutex_init(&storage->lock, NULL);
  pthread_cond_init(&storage->changed, NULL);
  storage->holders = 1;
  napi_create_string_utf8(env, "sluice-records", NAPI_AUTO_LENGTH, &name);
  napi_create_threadsafe_function(
      env, arguments[6], NULL, name, 0, 1, NULL, NULL, NULL, tell, &storage->events);
  napi_create_promise(env, &opening->deferred, &promise);
  napi_create_async_work(env, NULL, name, open_store, end_opening, opening, &opening->work);
  napi_queue_async_work(env, opening->work);
  return promise;
}

static void set_function(
    napi_env env, napi_value exports, const char *name, napi_callback callback, void *data) {
  napi_value function;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, data, &function);
  napi_set_named_property(env, exports, name, function);
}

NAPI_MODULE_INIT() {
  set_function(env, exports, "open", js_open, NULL);
  set_function(env, exports, "correct", js_correct, NULL);
  set_function(env, exports, "hold", js_hold, NULL);
  set_function(env, exports, "closed", js_closed, NULL);
  set_function(env, exports, "knownState", js_known_state, NULL);
  set_function(env, exports, "unmount", js_unmount, NULL);
  set_function(env, exports, "markDeleteAsValid", js_mark, NULL);
  set_function(env, exports, "stopTracking", js_stop_tracking, NULL);
  set_function(env, exports, "enableErasure", js_enable_erasure, NULL);
  for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
    set_function(env, exports, beginnings[i].name, js_begin, (void *)i);
  return exports;
}
