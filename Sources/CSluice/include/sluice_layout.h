// The shared memory of a channel and the messages of the handshake, declared once.
//
// A channel is two sealed memfds, both mapped by both sides:
//
//   control region                            I/O region
//   +0    sluice_facts        128 bytes       +0                argument area of slot 0
//   +128  sluice_client_line  128 bytes       +argument_area    argument area of slot 1 ...
//   +256  sluice_proxy_line   128 bytes       +payload_offset   payload ring
//   +384  sluice_standing_line  128 bytes
//   +512  slot 0, slot 1 ...  64 bytes each
//
// Who writes what: the proxy writes the facts before it passes the descriptors, and neither side
// writes them later. Only the client writes the client line, and only the proxy writes the proxy
// line. Both write the standing line, in single atomic steps. A slot's own `sequence` says whose it
// is: the client hands the slot over with the request's number, and the proxy hands it back with
// that number's complement. Protocol/SPEC.md is the normative text; a test compares its tables with
// this file.
#pragma once
#include <stddef.h>
#include <stdint.h>

static const uint64_t sluice_magic = UINT64_C(0x3130454349554c53);  // the bytes "SLUICE01" on a little-endian machine
#define SLUICE_PROTOCOL_VERSION 1
#define SLUICE_LITTLE_ENDIAN_ARGUMENTS 1
#define SLUICE_BIG_ENDIAN_ARGUMENTS 2

// The number of bytes in a slot for arguments that are short enough to need no argument area.
#define SLUICE_INLINE_ARGUMENT_BYTE_COUNT 28

struct sluice_facts {
  uint64_t magic;
  uint32_t version;
  uint32_t byte_order;  // of serialized arguments: SLUICE_LITTLE_ENDIAN_ARGUMENTS or the other
  uint32_t control_byte_count;
  uint32_t io_byte_count;
  uint32_t slot_count;  // a power of two, at least 2
  uint32_t slot_byte_count;
  uint32_t slots_offset;
  uint32_t argument_area_byte_count;
  uint32_t payload_offset;
  uint32_t payload_byte_count;
  uint8_t reserved[80];
};

struct sluice_client_line {
  uint32_t sleeps;  // 1 while the client may be asleep on a slot's `sequence`
  uint32_t awaits;  // the number of the request whose answer must wake it then
  uint32_t cancels;  // the number of the request that the proxy shall interrupt
  uint8_t reserved[116];
};

struct sluice_proxy_line {
  uint32_t sleeps;  // 1 while the proxy may be asleep on a slot's `sequence`
  uint32_t pulse;   // counts up every few seconds where requests may take long
  uint8_t reserved[120];
};

// Locks that stand after their use. Each part has one bit for each of SLUICE_STANDING_COUNT locks.
struct sluice_standing_line {
  uint64_t locks;
  uint8_t reserved[120];
};

// Locks 0 to 7 are the locks of the WAL index, lock 8 is SHARED on the database.
#define SLUICE_STANDING_COUNT 9
#define SLUICE_STANDING_FILE 8
// The client has the lock, in use or not: shared with others, or alone.
#define SLUICE_STANDING_GRANTED_SHIFT 0
#define SLUICE_STANDING_ALONE_SHIFT 12
// The client uses the lock: shared or, if the second bit is set too, as its only holder.
#define SLUICE_STANDING_USED_SHIFT 24
#define SLUICE_STANDING_USED_ALONE_SHIFT 36
// Another client waits for the lock: the holder gives it back with a request.
#define SLUICE_STANDING_WANTED_SHIFT 48

struct sluice_control {
  struct sluice_facts facts;
  struct sluice_client_line client;
  struct sluice_proxy_line proxy;
  struct sluice_standing_line standing;
};

struct sluice_slot {
  uint16_t operation;
  uint16_t flags;       // reserved, zero
  uint32_t sequence;    // n: the slot holds request n; ~n: it holds the answer. A futex word
  uint64_t file;        // file id, 0 if the operation names none
  uint32_t payload_offset;
  uint32_t payload_byte_count;   // request: bytes sent or wanted; reply: bytes given
  uint32_t argument_byte_count;  // above 28 the arguments are in the slot's argument area
  int32_t return_code;
  int32_t error_number;
  uint8_t arguments[SLUICE_INLINE_ARGUMENT_BYTE_COUNT];
};

// The words by name, because Embedded Swift has no key path to a field of a C struct.
static inline uint32_t *sluice_client_sleeps(struct sluice_control *c) { return &c->client.sleeps; }
static inline uint32_t *sluice_client_awaits(struct sluice_control *c) { return &c->client.awaits; }
static inline uint32_t *sluice_client_cancels(struct sluice_control *c) { return &c->client.cancels; }
static inline uint32_t *sluice_proxy_sleeps(struct sluice_control *c) { return &c->proxy.sleeps; }
static inline uint32_t *sluice_proxy_pulse(struct sluice_control *c) { return &c->proxy.pulse; }
static inline uint64_t *sluice_standing_locks(struct sluice_control *c) { return &c->standing.locks; }
static inline uint32_t *sluice_sequence(struct sluice_slot *s) { return &s->sequence; }

// Copies a slot that the peer may be changing: every byte is read exactly once.
static inline struct sluice_slot sluice_slot_copy(const struct sluice_slot *shared) {
  union {
    struct sluice_slot slot;
    uint64_t words[sizeof(struct sluice_slot) / sizeof(uint64_t)];
  } copy;
  const volatile uint64_t *from = (const volatile uint64_t *)shared;
  for (size_t i = 0; i < sizeof copy.words / sizeof copy.words[0]; i++) copy.words[i] = from[i];
  return copy.slot;
}

// The handshake, on the SOCK_SEQPACKET socket. The first sixteen bytes of every message have the
// same meaning in all versions of the protocol.
struct sluice_message_head {
  uint64_t magic;
  uint32_t version;
  uint16_t kind;
  uint16_t status;  // of a refusal: a wire status; otherwise 0
};

enum sluice_message_kind {
  SLUICE_MESSAGE_HELLO = 1,
  SLUICE_MESSAGE_WELCOME = 2,
  SLUICE_MESSAGE_REFUSAL = 3,
  SLUICE_MESSAGE_CHANNEL = 4,
  SLUICE_MESSAGE_DESCRIPTOR = 5,
};

struct sluice_hello {
  struct sluice_message_head head;
  uint64_t reserved[2];
};

// A welcome carries the descriptors of the session's first channel: control region, I/O region, in
// this order. A channel message carries those of a later channel, in the same order.
struct sluice_welcome {
  struct sluice_message_head head;
  uint64_t session;
  uint32_t channel;
  uint32_t features;  // SLUICE_FEATURE_...
};

// The sidecar's paths are the host's own (a private sidecar), and not relative to a root.
#define SLUICE_FEATURE_HOST_PATHS 1u
// The shortcuts with which clients may avoid waiting.
#define SLUICE_FEATURE_POSTED_WRITES 2u
#define SLUICE_FEATURE_READ_WINDOW 4u
#define SLUICE_FEATURE_OWNED_KNOWLEDGE 8u
#define SLUICE_FEATURE_STANDING_LOCKS 16u
#define SLUICE_FEATURE_GROUP_COMMIT 64u
// Other directories of the host are served beside the root, by the host's paths.
#define SLUICE_FEATURE_ALSO_DIRECTORIES 32u

struct sluice_channel_message {
  struct sluice_message_head head;
  uint64_t reserved;
  uint32_t channel;
  uint32_t reserved_tail;
};

// Carries the descriptors that a request on `file` asked for: that of a WAL index, or those of a
// read window and of the sidecar's life.
struct sluice_descriptor_message {
  struct sluice_message_head head;
  uint64_t file;
  uint32_t purpose;  // SLUICE_DESCRIPTOR_...
  uint32_t reserved;
};

#define SLUICE_DESCRIPTOR_WAL_INDEX 1u
#define SLUICE_DESCRIPTOR_WINDOW 2u

// --- read window --------------------------------------------------------------------------------
//
// A sealed memfd for each database. The proxy writes it, and every client that has the database
// open maps it for reading:
//
//   +0     sluice_window   4096 bytes
//   +4096  one byte for each granule of 4096 bytes: 1 if the granule below has the file's content
//   +...   the granules, from a multiple of 4096 on, then 4096 empty bytes
struct sluice_window {
  uint64_t magic;
  uint32_t granule_count;
  uint32_t ownership;   // odd: the window is true. Counts up with each change.
  int64_t byte_count;   // the file's size
  uint32_t absent;      // SLUICE_ABSENT_... bits
  uint32_t retired;     // 1: another window has replaced this one, which will never be true again
  uint8_t reserved[96];
};

#define SLUICE_WINDOW_HEADER_BYTE_COUNT 4096
#define SLUICE_GRANULE_BYTE_COUNT 4096
// The database has no rollback journal, or no WAL, beside it.
#define SLUICE_ABSENT_JOURNAL 1u
#define SLUICE_ABSENT_WAL 2u

static inline uint32_t *sluice_window_ownership(struct sluice_window *w) { return &w->ownership; }
static inline int64_t *sluice_window_byte_count(struct sluice_window *w) { return &w->byte_count; }
static inline uint32_t *sluice_window_absent(struct sluice_window *w) { return &w->absent; }
static inline uint32_t *sluice_window_retired(struct sluice_window *w) { return &w->retired; }
_Static_assert(sizeof(struct sluice_window) == 128, "window");
_Static_assert(offsetof(struct sluice_window, byte_count) == 16, "window");

// --- life ---------------------------------------------------------------------------------------
//
// A sealed memfd that comes with each read window. The sidecar has one, and clients map it for
// reading. When the sidecar dies, the kernel itself marks the memory, before it closes the
// sidecar's files (see robust futexes, set_robust_list(2)).
struct sluice_life {
  uint64_t magic;
  uint32_t thread;  // the kernel's number of the living thread, or SLUICE_LIFE_OVER
  uint8_t reserved[4084];
};
#define SLUICE_LIFE_OVER 0x40000000u  // FUTEX_OWNER_DIED
_Static_assert(sizeof(struct sluice_life) == 4096, "life");
_Static_assert(offsetof(struct sluice_life, thread) == 8, "life");
static inline uint32_t *sluice_life_thread(struct sluice_life *l) { return &l->thread; }

#define SLUICE_REFUSAL_TEXT_BYTE_COUNT 240

struct sluice_refusal {
  struct sluice_message_head head;
  char text[SLUICE_REFUSAL_TEXT_BYTE_COUNT];  // UTF-8, zero-terminated
};

_Static_assert(sizeof(struct sluice_facts) == 128, "facts");
_Static_assert(offsetof(struct sluice_facts, payload_byte_count) == 44, "facts");
_Static_assert(sizeof(struct sluice_client_line) == 128, "client line");
_Static_assert(sizeof(struct sluice_proxy_line) == 128, "proxy line");
_Static_assert(sizeof(struct sluice_standing_line) == 128, "standing line");
_Static_assert(sizeof(struct sluice_control) == 512, "control");
_Static_assert(offsetof(struct sluice_control, client) == 128, "control");
_Static_assert(offsetof(struct sluice_control, proxy) == 256, "control");
_Static_assert(offsetof(struct sluice_control, standing) == 384, "control");
_Static_assert(sizeof(struct sluice_slot) == 64, "slot");
_Static_assert(offsetof(struct sluice_slot, sequence) == 4, "slot");
_Static_assert(offsetof(struct sluice_slot, file) == 8, "slot");
_Static_assert(offsetof(struct sluice_slot, return_code) == 28, "slot");
_Static_assert(offsetof(struct sluice_slot, arguments) == 36, "slot");
_Static_assert(_Alignof(struct sluice_slot) == 8, "slot");
_Static_assert(sizeof(struct sluice_message_head) == 16, "message head");
_Static_assert(sizeof(struct sluice_hello) == 32, "hello");
_Static_assert(sizeof(struct sluice_welcome) == 32, "welcome");
_Static_assert(sizeof(struct sluice_channel_message) == 32, "channel message");
_Static_assert(sizeof(struct sluice_descriptor_message) == 32, "descriptor message");
_Static_assert(sizeof(struct sluice_refusal) == 256, "refusal");

// --- metrics ------------------------------------------------------------------------------------
//
// A POSIX shared-memory object named "/sluice-PID". A shared sidecar writes it, and every user can
// read it. Counters only grow. One reactor writes each row of operation counters. An engine has one,
// too: `root_path` is then the socket of its file sidecar, or empty.

#define SLUICE_METRICS_ROW_COUNT 16
#define SLUICE_METRICS_OPERATION_COUNT 96
#define SLUICE_METRICS_PATH_BYTE_COUNT 1024

enum sluice_metrics_service { SLUICE_METRICS_FILES = 0, SLUICE_METRICS_SQL = 1 };

// Columns of an engine's rows behind those of records: rows given to clients; executions whose statement was kept
// compiled, and those that compiled it.
enum sluice_metrics_sql_column {
  SLUICE_METRICS_SQL_ROWS = 61,
  SLUICE_METRICS_SQL_PREPARE_HITS = 62,
  SLUICE_METRICS_SQL_PREPARE_MISSES = 63,
};

// The columns before them, of what an engine does with records: messages stored, loads that found their
// value, messages given by loads, values erased.
enum sluice_metrics_records_column {
  SLUICE_METRICS_RECORDS_STORED = 57,
  SLUICE_METRICS_RECORDS_LOADS = 58,
  SLUICE_METRICS_RECORDS_CHUNKS = 59,
  SLUICE_METRICS_RECORDS_ERASED = 60,
};

struct sluice_metrics {
  uint64_t magic;
  uint32_t version;
  int32_t process;
  uint64_t started_ms;  // since 1970-01-01 00:00 UTC
  uint64_t sessions_opened;
  uint64_t sessions_closed;
  uint64_t sessions_refused;
  uint64_t leases_taken;
  uint64_t leases_broken;
  uint64_t syncs_promised;  // commits that shared a sync of a WAL
  uint64_t syncs_shared;    // the syncs that they shared
  uint64_t service;         // sluice_metrics_service
  uint8_t reserved[40];
  char socket_path[SLUICE_METRICS_PATH_BYTE_COUNT];  // zero-terminated
  char root_path[SLUICE_METRICS_PATH_BYTE_COUNT];
  uint64_t operations[SLUICE_METRICS_ROW_COUNT][SLUICE_METRICS_OPERATION_COUNT];
};
_Static_assert(sizeof(struct sluice_metrics) == 128 + 2048 + 16 * 96 * 8, "metrics");
_Static_assert(offsetof(struct sluice_metrics, operations) % 128 == 0, "metrics");
