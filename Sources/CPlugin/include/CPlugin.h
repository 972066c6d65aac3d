// The processes of plugins, and how the engine talks to them.
//
//   engine ── keeper ── nursery ── one process for each call of a plugin
//
// The keeper is forked before the engine has threads, and forks the nursery; another one, when the
// engine asks for it because that has died. The nursery loads the libraries, gives up its rights, and
// from then on forks, ends and reaps the processes of calls. It runs no code of a plugin once the
// libraries are loaded. The engine has a socket to each of them. All end with the engine.
//
// All sockets are streams. What libraries say of themselves, and calls, are frames: kind, size of the
// body, body. In a body a text is its size (CPLUGIN_NONE for none), then its bytes; to the process of
// a call with a zero byte behind them. Each call below returns 0 or more, or -errno; -EPIPE if the
// peer has ended, -ETIMEDOUT if `deadline_ns` (of the monotonic clock) has passed.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "sluice_plugin.h"

struct cplugin_frame {
  uint32_t kind;
  uint32_t byte_count;
};

#define CPLUGIN_NONE UINT32_MAX

// From the nursery, at the start: one of these for each library.
enum {
  cplugin_described = 1,  // key, canBuild (0 or 1), globs, schemas; counts before lists
  cplugin_not_loaded = 2, // why
};

// To the process of a call.
enum {
  cplugin_detect = 1,   // whether there is a `before`, it, after
  cplugin_apply = 2,    // file, entities
  cplugin_entities = 3, // entities
  cplugin_rows = 4,     // rows, columns, values
};

// From the process of a call.
enum {
  cplugin_emitted = 1,        // id, schema key, version, content
  cplugin_wrote = 2,          // bytes
  cplugin_wants_entities = 3,
  cplugin_asked = 4,          // SQL, arguments
  cplugin_failed = 5,         // why
  cplugin_done = 6,
};

// --- the engine's side ---

// Forks a keeper for these libraries, which must stay where they are. Returns the socket to it, and
// its process. With `confines` the nursery and its children give up their rights.
int cplugin_start(const char *const *libraries, size_t count, int confines, int *process);
// Has the keeper end its nursery, if there is one, and make another: the socket to it, on which the
// libraries say first what they are.
int cplugin_renew(int keeper);
// Waits for the end of a keeper whose socket is closed.
void cplugin_await(int process);
// Kills a keeper, and so its nursery.
void cplugin_kill(int process);

// A process for a call of the plugin `index`: the socket to it, and its process.
int cplugin_call(int control, uint32_t index, int *process);
// Ends the process of a call, if it has not ended. `status` as in waitpid(2), or -1 if the nursery
// does not know the process; NULL if it does not matter.
int cplugin_end(int control, int process, int *status);
// The signal that has ended a process, or 0.
int cplugin_signal(int status);

// --- sockets ---

// Sends or receives so many bytes.
int cplugin_send(int socket, const void *bytes, size_t byte_count, int64_t deadline_ns);
int cplugin_receive(int socket, void *bytes, size_t byte_count, int64_t deadline_ns);
// Sends or receives one byte at least, and tells how many.
int64_t cplugin_send_some(int socket, const void *bytes, size_t byte_count, int64_t deadline_ns);
int64_t cplugin_receive_some(int socket, void *bytes, size_t byte_count, int64_t deadline_ns);
// A process and a socket to it; no socket where `process` is 0, which is received as -EAGAIN.
void cplugin_send_descriptor(int socket, int32_t process, int descriptor);
int cplugin_receive_descriptor(int socket, int *process);

// --- the other processes ---

// The only descriptor that they have beside the standard ones.
enum { cplugin_only_socket = 3 };

// Ends this process with its parent.
void cplugin_end_with(int parent);
// Makes `socket` the only one.
void cplugin_keep_only(int socket);
// Loads the libraries, and forks a process for each call.
void cplugin_serve_nursery(const char *const *libraries, size_t count, int confines)
    __attribute__((__noreturn__));
// Serves one call on `socket` and ends this process.
void cplugin_serve(const struct sluice_plugin *plugin, int socket) __attribute__((__noreturn__));
