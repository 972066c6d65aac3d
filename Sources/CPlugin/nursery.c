// The nursery: loads the libraries, and forks a process for each call. See CPlugin.h.
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "CPlugin.h"
#include "CSluice.h"

// Memory that a call may have beside what is there at its start.
static const uint64_t memory_byte_count_max = 1 << 30;

struct child {
  int process;  // 0: none
  int socket;
};

struct nursery {
  const struct sluice_plugin **plugins;
  struct child *spares;  // one for each plugin, so that a call need not wait for fork
  size_t count;
  int confines;
};

// --- this process -------------------------------------------------------------------------------

// Forbids files and, where the kernel can, the network, and signals to processes outside. Without
// Landlock the filter of system calls is what is left.
static void enter_landlock(void) {
  int version = sluice_landlock_version();
  if (version < 1) return;
  int bits = version < 2 ? 13 : version < 3 ? 14 : version < 5 ? 15 : 16;
  int ruleset = sluice_landlock_create((1ull << bits) - 1, version < 4 ? 0 : 3, version < 6 ? 0 : 3);
  if (ruleset < 0) return;
  sluice_landlock_enter(ruleset);
  close(ruleset);
}

static uint64_t memory_byte_count(void) {
  unsigned long long pages = 0;
  FILE *file = fopen("/proc/self/statm", "re");
  if (!file) return 0;
  if (fscanf(file, "%llu", &pages) != 1) pages = 0;
  fclose(file);
  return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void limit(int resource, uint64_t value) {
  struct rlimit limit = {value, value};
  setrlimit(resource, &limit);
}

// --- processes of calls -------------------------------------------------------------------------

static struct child make_child(const struct nursery *nursery, size_t index) {
  struct child child = {0, -1};
  int ends[2], nursery_process = getpid();
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) return child;
  child.process = fork();
  if (child.process == 0) {
    cplugin_end_with(nursery_process);
    cplugin_keep_only(ends[1]);
    // A failure of the first is no reason to run with more rights.
    if (nursery->confines && sluice_seccomp_enter_plugin() < 0) _exit(0);
    cplugin_serve(nursery->plugins[index], cplugin_only_socket);
  }
  close(ends[1]);
  if (child.process < 0) {
    child.process = 0;
    close(ends[0]);
  } else {
    child.socket = ends[0];
  }
  return child;
}

static int is_running(int process) {
  return process > 0 && waitpid(process, NULL, WNOHANG) == 0;
}

static struct child take_child(struct nursery *nursery, size_t index) {
  struct child child = nursery->spares[index];
  nursery->spares[index] = (struct child){0, -1};
  if (child.process > 0 && is_running(child.process)) return child;
  if (child.process > 0) close(child.socket);
  return make_child(nursery, index);
}

// The status of a process; -1 if it is none of this nursery's. One that has closed its socket is
// ending, if it is not up to something.
static int end_child(int process) {
  int status = 0;
  // To kill these would kill more than one.
  if (process <= 0) return -1;
  for (int turn = 0; turn < 100; turn++) {
    int ended = waitpid(process, &status, WNOHANG);
    if (ended != 0) return ended < 0 ? -1 : status;
    usleep(1000);
  }
  kill(process, SIGKILL);
  waitpid(process, &status, 0);
  return status;
}

static void kill_child(int process) {
  if (!is_running(process)) return;
  kill(process, SIGKILL);
  waitpid(process, NULL, 0);
}

// --- requests -----------------------------------------------------------------------------------

enum { request_call = 1, request_status = 2, request_end = 3 };

// `value` is a plugin's index or a process.
struct request {
  uint32_t kind;
  int32_t value;
};

static void send_child(struct child child) {
  cplugin_send_descriptor(cplugin_only_socket, child.process, child.socket);
  if (child.process > 0) close(child.socket);
}

static void serve_requests(struct nursery *nursery) __attribute__((__noreturn__));
static void serve_requests(struct nursery *nursery) {
  for (size_t i = 0; i < nursery->count; i++) nursery->spares[i] = make_child(nursery, i);
  struct request request;
  while (cplugin_receive(cplugin_only_socket, &request, sizeof request, INT64_MAX) == 0) {
    if (request.kind == request_call && (size_t)request.value < nursery->count) {
      size_t index = (size_t)request.value;
      send_child(take_child(nursery, index));
      nursery->spares[index] = make_child(nursery, index);
    } else if (request.kind == request_status) {
      int32_t status = end_child(request.value);
      cplugin_send(cplugin_only_socket, &status, sizeof status, INT64_MAX);
    } else {
      kill_child(request.value);
    }
  }
  // The engine has ended. What it called ends with this process.
  _exit(0);
}

// --- the start ----------------------------------------------------------------------------------

struct body {
  char *bytes;
  size_t count;
};

static void add(struct body *body, const void *bytes, size_t count) {
  body->bytes = realloc(body->bytes, body->count + count);
  if (!body->bytes) abort();
  if (count > 0) memcpy(body->bytes + body->count, bytes, count);
  body->count += count;
}

static void add_number(struct body *body, uint32_t number) { add(body, &number, sizeof number); }

static void add_text(struct body *body, const char *text) {
  add_number(body, text ? (uint32_t)strlen(text) : CPLUGIN_NONE);
  if (text) add(body, text, strlen(text));
}

static void send_body(uint32_t kind, struct body *body) {
  struct cplugin_frame frame = {kind, (uint32_t)body->count};
  cplugin_send(cplugin_only_socket, &frame, sizeof frame, INT64_MAX);
  cplugin_send(cplugin_only_socket, body->bytes, body->count, INT64_MAX);
  free(body->bytes);
}

// Why the library cannot be used, or NULL.
static const char *load(const char *library, const struct sluice_plugin **plugin) {
  void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (!handle) return dlerror();
  const struct sluice_plugin *(*entry)(void);
  *(void **)&entry = dlsym(handle, "sluice_plugin");
  if (!entry) return "it exports no function sluice_plugin; see sluice_plugin.h";
  *plugin = entry();
  if (!*plugin) return "its sluice_plugin() returned NULL";
  if ((*plugin)->version != SLUICE_PLUGIN_VERSION)
    return "it was made for another version of sluice_plugin.h; build it with this engine's";
  if (!(*plugin)->detect) return "it has no detect";
  if (!(*plugin)->globs) return "it has no globs";
  return NULL;
}

static void describe(const struct sluice_plugin *plugin) {
  struct body body = {0};
  add_text(&body, plugin->key);
  add_number(&body, plugin->apply != NULL);
  uint32_t glob_count = 0;
  while (plugin->globs[glob_count]) glob_count++;
  add_number(&body, glob_count);
  for (uint32_t i = 0; i < glob_count; i++) add_text(&body, plugin->globs[i]);
  add_number(&body, (uint32_t)plugin->schema_count);
  for (size_t i = 0; i < plugin->schema_count; i++) {
    add_text(&body, plugin->schemas[i].key);
    add_text(&body, plugin->schemas[i].version);
    add_text(&body, plugin->schemas[i].definition);
  }
  send_body(cplugin_described, &body);
}

void cplugin_serve_nursery(const char *const *libraries, size_t count, int confines) {
  prctl(PR_SET_NAME, "sluice-plugins", 0, 0, 0);
  static struct nursery nursery;
  nursery = (struct nursery){calloc(count, sizeof(void *)), calloc(count, sizeof(struct child)),
                             count, confines};
  if (!nursery.plugins || !nursery.spares) abort();
  for (size_t i = 0; i < count; i++) {
    const char *reason = load(libraries[i], &nursery.plugins[i]);
    if (!reason) {
      describe(nursery.plugins[i]);
      continue;
    }
    struct body body = {0};
    add_text(&body, reason);
    send_body(cplugin_not_loaded, &body);
    _exit(0);
  }
  if (confines) {
    limit(RLIMIT_AS, memory_byte_count() + memory_byte_count_max);
    limit(RLIMIT_CORE, 0);
    enter_landlock();
  }
  serve_requests(&nursery);
}

// --- the engine's side --------------------------------------------------------------------------

int cplugin_call(int control, uint32_t index, int *process) {
  struct request request = {request_call, (int32_t)index};
  int result = cplugin_send(control, &request, sizeof request, INT64_MAX);
  return result < 0 ? result : cplugin_receive_descriptor(control, process);
}

int cplugin_end(int control, int process, int *status) {
  struct request request = {status ? request_status : request_end, process};
  int result = cplugin_send(control, &request, sizeof request, INT64_MAX);
  if (result < 0 || !status) return result;
  int32_t answer = 0;
  result = cplugin_receive(control, &answer, sizeof answer, INT64_MAX);
  *status = answer;
  return result;
}

int cplugin_signal(int status) { return WIFSIGNALED(status) ? WTERMSIG(status) : 0; }
