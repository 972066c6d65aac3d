// Record stores across the boundary, for C and for every language that calls C: storage for replicated
// values (headers, sessions, signed transactions), as cojson's StorageAPI has it.
//
// The program that includes this has no SQLite and no database files. It sends messages to an engine,
// a process of its own (`sluice engine`). Protocol/RECORDS.md says what a store does with them. Link with
// -lsluice-records. The library needs libc and nothing else.
//
// Calls. What may take long has a `done`, and there are two ways to call it. With a function for `done`,
// the call returns at once; `done` is called once, with the code of the outcome, after all other callbacks
// of the call, if the call itself gave SLUICE_OK (else never). With NULL for `done`, the call waits and
// gives that code itself. Calls are sent in their order, and several are under way at once. Messages are
// stored in the order of the calls; but those behind one that fails or is corrected are sent again, and
// so other calls may overtake them.
//
// Threads. Any thread may call any function, but no other thread may use a store once
// sluice_records_close was called. A store has a thread of its own. All callbacks are called there, one
// at a time, except where it says otherwise. A callback may call functions that do not wait; those that
// wait give SLUICE_MISUSE there. While a callback runs, the store does nothing else.
//
// Ownership. What the caller passes is read during the call and not kept, except `context` and the places
// of results, which have to stay until `done`. What a callback gets is borrowed: it is valid until the
// callback returns. Texts are not terminated by a zero; use the length.
//
// Errors. A function gives SLUICE_OK, or another code of sluice_codes.h: SQLite's extended result codes,
// where SQLite failed. sluice_records_error_message tells the cause and the remedy. NULL or a closed store
// crash nothing; they give SLUICE_MISUSE. When the engine dies, all calls under way, and all later ones,
// give SLUICE_GONE; what was told as stored is stored. Open a new store then.
//
// A forked child must not use its parent's stores: they give SLUICE_GONE there.
#ifndef SLUICE_RECORDS_H
#define SLUICE_RECORDS_H

#include <sluice_codes.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sluice_records sluice_records;

// Bytes; `bytes` may be NULL if the length is 0.
struct sluice_records_text {
  const char *bytes;
  size_t length;
};

// A text of C that ends with a zero; needs <string.h>.
#define SLUICE_RECORDS_TEXT(text) ((struct sluice_records_text){(text), strlen(text)})

// So many transactions of a session.
struct sluice_records_counter {
  struct sluice_records_text session;
  uint64_t count;
};

// How much of a value somebody has. A session that is not named has no transactions.
struct sluice_records_state {
  struct sluice_records_text id;
  const struct sluice_records_counter *counters;
  size_t counter_count;
  int32_t has_header;
  int32_t reserved;  // ignored
};

struct sluice_records_session {
  struct sluice_records_text session;
  struct sluice_records_text last_signature;  // covers the session up to the last of these transactions
  const struct sluice_records_text *transactions;  // JSON texts
  size_t transaction_count;
  uint64_t after;  // the index of the first transaction
};

// What a store takes and a load gives. Headers and transactions come back as the bytes that were stored.
struct sluice_records_message {
  struct sluice_records_text id;      // of the value
  struct sluice_records_text header;  // JSON text; with NULL the message has none
  const struct sluice_records_session *sessions;  // in the order of their creation
  size_t session_count;
  // In the first of several messages of a load: how far all of them together go; else NULL.
  const struct sluice_records_counter *expected;
  size_t expected_count;
  uint32_t priority;  // of a loaded value; 0 is the highest. A store does not look at it
  uint32_t reserved;  // ignored
};

// The end of a call. In it, sluice_records_error_message tells why the code is not SLUICE_OK.
typedef void (*sluice_records_done)(void *context, int code);

// --- Opening -------------------------------------------------------------------------------------

#define SLUICE_RECORDS_EITHER 0  // the store is opened, or created
#define SLUICE_RECORDS_OPEN 1    // it has to be there
#define SLUICE_RECORDS_CREATE 2  // it must not be there

#define SLUICE_RECORDS_NORMAL 0  // stored: it outlives the processes
#define SLUICE_RECORDS_FULL 1    // stored: it outlives the machine's loss of power

// All zero but the size is a good choice.
struct sluice_records_options {
  size_t byte_count;           // sizeof(struct sluice_records_options)
  const char *socket;          // as in sluice_open: NULL is SLUICE_SQL_SOCKET's, or a private engine
  uint32_t durability;         // SLUICE_RECORDS_NORMAL …
  uint32_t mode;               // SLUICE_RECORDS_EITHER …
  int64_t busy_milliseconds;   // how long a store waits for others' locks; 0: 5,000
  uint64_t signature_interval; // UTF-16 code units between kept signatures; 0: 102,400
  // Told of what fails (level 0) or looks odd (1), also where no call is concerned; or NULL.
  void (*log)(void *context, int level, const char *text, size_t length);
  void *log_context;
};

// Opens a store. Blocks until the engine has it, for 30 seconds at most.
//
//   path     its name: below the engine's root, or, with a private engine, of this machine; ":memory:"
//            for one in the engine's memory
//   options  or NULL
//   store    where the store is put; NULL is put there on failure
int sluice_records_open(
    const char *path, const struct sluice_records_options *options, sluice_records **store);

// Ends the store. Messages in progress are stored, but not corrected; those that were not begun are not
// stored; all other calls are finished. Then the store is closed and `done` is called, as the last
// callback. From the call on, no function may be called with the store. NULL is SLUICE_OK.
int sluice_records_close(sluice_records *store, sluice_records_done done, void *context);

// Ends the waiting of all calls that wait for this store in other threads: they give SLUICE_INTERRUPT,
// and their callbacks are not called any more. What they asked for goes on in the engine. Waits for nobody.
int sluice_records_cancel(sluice_records *store);

// The code of this thread's last failure, and its cause and remedy (UTF-8, a zero at its end, never NULL).
// In `done`, the failure is the call's. The text is valid until this thread's next call.
int sluice_records_error_code(void);
const char *sluice_records_error_message(void);

// This library's version.
const char *sluice_records_version(void);
// The durability that the engine keeps.
int sluice_records_durability(sluice_records *store);

// --- Messages ------------------------------------------------------------------------------------

// Called when the store lacks the value's header or earlier transactions, with what it has. Adds the
// messages that are to be stored instead to `correction`, none if nothing is missing after all, and
// gives 0. Another number if it has none; then the call gives SLUICE_ERROR.
typedef struct sluice_records_correction sluice_records_correction;
typedef int (*sluice_records_correct)(
    void *context, const struct sluice_records_state *state, sluice_records_correction *correction);

// Adds a message to a correction, which is valid until the callback returns.
int sluice_records_correct_by(
    sluice_records_correction *correction, const struct sluice_records_message *message);

// Stores a message: SLUICE_OK when all of it, its correction included, is stored durably. `correct` may
// be NULL, if there are no corrections. They are not corrected again.
int sluice_records_store(
    sluice_records *store, const struct sluice_records_message *message,
    sluice_records_correct correct, sluice_records_done done, void *context);

// Takes a message of a load. Gives 0 to go on; another number ends the load with SLUICE_ABORT.
typedef int (*sluice_records_receive)(void *context, const struct sluice_records_message *message);

// Loads a value, and before it all on which it depends and that is not in memory. SLUICE_OK after its last
// message, SLUICE_NOTFOUND if it is not in the store. The messages come page by page: while `receive`
// runs, the engine waits.
int sluice_records_load(
    sluice_records *store, struct sluice_records_text id, sluice_records_receive receive,
    sluice_records_done done, void *context);

// --- Known states --------------------------------------------------------------------------------

typedef void (*sluice_records_take_state)(void *context, const struct sluice_records_state *state);

// What this store has stored and loaded of a value so far. Asks nobody; `take` is called in this thread.
int sluice_records_known_state(
    sluice_records *store, struct sluice_records_text id, sluice_records_take_state take,
    void *context);

// How much of a value is in the store. SLUICE_NOTFOUND if nothing is: then `take` is not called.
int sluice_records_load_known_state(
    sluice_records *store, struct sluice_records_text id, sluice_records_take_state take,
    sluice_records_done done, void *context);

// Tells what a value in memory has now, by sluice_records_present_is. Called from any thread.
typedef struct sluice_records_present sluice_records_present;
typedef void (*sluice_records_current)(void *context, sluice_records_present *present);
int sluice_records_present_is(
    sluice_records_present *present, const struct sluice_records_state *state);

// Waits until the store has exactly what a value in memory has. Looks again after each store and load of
// the value, and after sluice_records_note_change. SLUICE_OK also when the value was unmounted;
// SLUICE_ERROR or SLUICE_GONE when the store ends. `done` may be called from any thread, also in the call.
int sluice_records_wait_for_sync(
    sluice_records *store, struct sluice_records_text id, sluice_records_current current,
    sluice_records_done done, void *context);
int sluice_records_note_change(sluice_records *store, struct sluice_records_text id);

// The program has dropped a value from its memory. Nobody waits for it any more.
int sluice_records_unmount(sluice_records *store, struct sluice_records_text id);

// --- Deletion ------------------------------------------------------------------------------------

// The program allows that a value is deleted: the next store of a delete session of it (its name ends in
// `$`) queues it for erasure.
int sluice_records_mark_delete_as_valid(sluice_records *store, struct sluice_records_text id);
// Lets the engine erase deleted values of its own accord.
int sluice_records_enable_erasure(sluice_records *store);
// Erases the deleted values that wait for it. A later load or store ends it early.
int sluice_records_erase(sluice_records *store, sluice_records_done done, void *context);

// --- Sync state and lists ------------------------------------------------------------------------

struct sluice_records_update {
  struct sluice_records_text id;
  struct sluice_records_text peer;
  int32_t is_synced;  // not 0: the peer has all of the value
  int32_t reserved;   // ignored
};

// Notes which peers have which values, in order. SLUICE_OK when that is durable.
int sluice_records_track(
    sluice_records *store, const struct sluice_records_update *updates, size_t count,
    sluice_records_done done, void *context);
// Forgets which peers do not have exactly this value.
int sluice_records_stop_tracking(sluice_records *store, struct sluice_records_text id);

typedef void (*sluice_records_take_id)(void *context, struct sluice_records_text id);

// The values that some peer does not have, in the order of their bytes.
int sluice_records_unsynced(
    sluice_records *store, sluice_records_take_id take, sluice_records_done done, void *context);
// Values in the order of their creation: those behind the first `offset`, at most `limit`.
int sluice_records_ids(
    sluice_records *store, uint64_t limit, uint64_t offset, sluice_records_take_id take,
    sluice_records_done done, void *context);
// How many values there are; `count` has it when the call is done.
int sluice_records_count(
    sluice_records *store, uint64_t *count, sluice_records_done done, void *context);

// --- Reconciliation ------------------------------------------------------------------------------

#define SLUICE_RECORDS_ACQUIRE 0
#define SLUICE_RECORDS_RENEW 1    // the holder has come to `offset`
#define SLUICE_RECORDS_RELEASE 2  // the reconciliation is done

#define SLUICE_RECORDS_LOCK_DONE 0
#define SLUICE_RECORDS_LOCK_NOT_DUE 1     // released less than 30 days ago
#define SLUICE_RECORDS_LOCK_HELD 2        // another holds it
#define SLUICE_RECORDS_LOCK_NOT_HOLDER 3  // renewed or released by one who does not hold it

struct sluice_records_lock_answer {
  uint64_t offset;   // of an acquired lock: where to go on
  int32_t outcome;   // SLUICE_RECORDS_LOCK_DONE …
  int32_t reserved;
};

// The lock of the reconciliation with a peer. `answer` has the outcome when the call is done.
int sluice_records_lock(
    sluice_records *store, int action, struct sluice_records_text peer,
    struct sluice_records_text holder, uint64_t offset, struct sluice_records_lock_answer *answer,
    sluice_records_done done, void *context);

#ifdef __cplusplus
}
#endif

#endif
