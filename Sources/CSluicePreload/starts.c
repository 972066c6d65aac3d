// What a program of a `sluice run` starts belongs to the run too, whatever environment it is given.
//
// `env -i`, subprocess.run(…, env={}) and clearenv() take LD_PRELOAD and the variables of Sluice
// away, nearly always together with all others and without meaning these. The program that is started
// so would work on its databases natively, or with --root on other files. So these variables are put
// back where they are absent, as fakeroot and bear do with theirs. Variables of Sluice that are
// present keep the program's value: SLUICE_DEFAULT=0 is the way out, or an empty SLUICE_WATCH. An
// LD_PRELOAD of other libraries gets this one in front.
//
// If the started program cannot be reached all the same, the watcher of the run is told. A program with
// another C library than glibc gets no LD_PRELOAD of this library, because its loader would refuse
// to start it.
//
// A call never fails because of that: if the environment becomes too large by it, the program's own
// is passed on. The calls are made in vfork children, so nothing is allocated: the new environment is
// on the stack, and one of more than 64 KiB is passed on as it is. system() and popen() do not come
// here; they pass `environ` on as it is.
#include <alloca.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/syscall.h>

#include "CSluice.h"
#include "run.h"

#pragma clang attribute push(__attribute__((minsize)), apply_to = function)

extern char **environ;

static const char preload[] = "LD_PRELOAD=";
enum { preload_length = sizeof preload - 1, stack_byte_count_max = 64 * 1024 };

enum way { by_path, by_search, by_descriptor, in_directory, spawned, spawned_by_search };

struct start {
  enum way way;
  const char *path;
  char *const *arguments;
  int directory;  // or the descriptor of the program
  int flags;
  pid_t *process;
  const posix_spawn_file_actions_t *actions;
  const posix_spawnattr_t *attributes;
};

// 0, or the error that an exec or a spawn fails with.
static int call(const struct start *s, char *const environment[]) {
  int result = -1;
  switch (s->way) {
    case by_path: result = real.execve(s->path, s->arguments, environment); break;
    case by_search: result = real.execvpe(s->path, s->arguments, environment); break;
    case by_descriptor: result = real.fexecve(s->directory, s->arguments, environment); break;
    case in_directory:
      result = real.execveat
                   ? real.execveat(s->directory, s->path, s->arguments, environment, s->flags)
                   : (int)syscall(SYS_execveat, s->directory, s->path, s->arguments, environment,
                                  s->flags);
      break;
    case spawned:
      return real.posix_spawn(s->process, s->path, s->actions, s->attributes, s->arguments,
                              environment);
    case spawned_by_search:
      return real.posix_spawnp(s->process, s->path, s->actions, s->attributes, s->arguments,
                               environment);
  }
  return result < 0 ? errno : 0;
}

// --- The environment ----------------------------------------------------------------------------

// The first entry that begins with these bytes, or the NULL at the end.
static char *const *find(char *const *entry, const char *start, size_t length) {
  while (*entry && strncmp(*entry, start, length) != 0) entry++;
  return entry;
}

// With `refuses`, the program cannot even be started with this library in LD_PRELOAD.
static int call_completely(const struct start *s, char *const environment[], int refuses) {
  static char *const none[] = {NULL};
  if (!environment) environment = none;
  const char *added[run_variable_count_max];
  size_t added_count = 0, count = 0;
  for (int i = 0; i < run.variable_count; i++) {
    const char *text = run.variables[i];
    if (!*find(environment, text, strcspn(text, "=") + 1)) added[added_count++] = text;
  }
  char *const *entry = find(environment, preload, preload_length);
  const char *before = *entry ? *entry + preload_length : "";
  const char *listed = strstr(before, run.library);
  int is_right = refuses ? !listed : listed != NULL;
  if (is_right && added_count == 0) return call(s, environment);

  while (environment[count]) count++;
  size_t pointer_count = count + added_count + 2;
  size_t byte_count = pointer_count * sizeof(char *) + preload_length + strlen(run.library) +
                      strlen(before) + 2;
  if (byte_count > stack_byte_count_max) return call(s, environment);
  char **complete = alloca(byte_count);
  memcpy(complete, environment, count * sizeof *complete);
  memcpy(complete + count, added, added_count * sizeof *complete);
  memset(complete + count + added_count, 0, 2 * sizeof *complete);
  if (!is_right) {
    char *text = (char *)(complete + pointer_count);
    complete[*entry ? (size_t)(entry - environment) : count + added_count] = text;
    text = stpcpy(text, preload);
    if (refuses) {
      const char *rest = listed + strlen(run.library);
      text = mempcpy(text, before, (size_t)(listed - before));
      stpcpy(text, rest + (*rest != 0));
    } else {
      text = stpcpy(text, run.library);
      if (*before) stpcpy(stpcpy(text, ":"), before);
    }
  }
  int error = call(s, complete);
  return error == E2BIG ? call(s, environment) : error;
}

// --- The program --------------------------------------------------------------------------------

// noinline: the name needs its room only here.
__attribute__((noinline)) static int obstacle(const struct start *s, int *program) {
  char path[PATH_MAX];
  const char *name = s->path;
  int directory = AT_FDCWD;
  *program = -1;
  if (!name) return SLUICE_TOLD_NOTHING;
  if (s->way == by_search || s->way == spawned_by_search) {
    name = sluice_reach_search(name, path, sizeof path);
  } else if (s->way == by_descriptor || (s->way == in_directory && !*name)) {
    name = sluice_reach_link(s->directory, path);
  } else if (s->way == in_directory) {
    directory = s->directory;
  }
  return sluice_reach_obstacle(directory, name, run.library, program);
}

static int begin(struct start *s, char *const environment[]) {
  if (!real.execvpe) find_real_functions();
  if (!run.library) return call(s, environment);
  int spawns = s->way >= spawned, error = 0;
  int program, kind = obstacle(s, &program);
  // The loader of another C library ends a program if it cannot load a library.
  int refuses = kind == SLUICE_TOLD_C_LIBRARY;
  pid_t process = 0;
  if (spawns) {
    if (!s->process) s->process = &process;
    error = call_completely(s, environment, refuses);
    process = *s->process;
  }
  int after = errno;
  if (kind && !error && run.watcher)
    sluice_reach_tell(run.watcher, kind, process, s->path, "", "", program);
  if (!spawns) error = call_completely(s, environment, refuses);
  if (program >= 0) close(program);
  errno = spawns ? after : error;
  return error;
}

static int execute(enum way way, int directory, const char *path, char *const arguments[],
                   char *const environment[], int flags) {
  struct start s = {.way = way, .directory = directory, .path = path, .arguments = arguments,
                    .flags = flags};
  return begin(&s, environment) ? -1 : 0;
}

// --- The interposed calls -----------------------------------------------------------------------

EXPORTED int execve(const char *path, char *const arguments[], char *const environment[]) {
  return execute(by_path, 0, path, arguments, environment, 0);
}

EXPORTED int execv(const char *path, char *const arguments[]) {
  return execute(by_path, 0, path, arguments, environ, 0);
}

EXPORTED int execvp(const char *name, char *const arguments[]) {
  return execute(by_search, 0, name, arguments, environ, 0);
}

EXPORTED int execvpe(const char *name, char *const arguments[], char *const environment[]) {
  return execute(by_search, 0, name, arguments, environment, 0);
}

EXPORTED int fexecve(int fd, char *const arguments[], char *const environment[]) {
  return execute(by_descriptor, fd, "", arguments, environment, 0);
}

EXPORTED int execveat(int directory, const char *path, char *const arguments[],
                      char *const environment[], int flags) {
  return execute(in_directory, directory, path, arguments, environment, flags);
}

// The arguments of the call, up to the NULL behind them, are copied to the stack. The environment may
// follow.
static int execute_list(enum way way, const char *path, const char *first, va_list *rest,
                        int has_environment) {
  va_list counted;
  va_copy(counted, *rest);
  size_t count = 0;
  for (const char *word = first; word; word = va_arg(counted, char *)) count++;
  va_end(counted);
  char **arguments = alloca((count + 1) * sizeof *arguments);
  arguments[0] = (char *)first;
  for (size_t i = 1; i <= count; i++) arguments[i] = va_arg(*rest, char *);
  char *const *environment = has_environment ? va_arg(*rest, char *const *) : environ;
  return execute(way, 0, path, arguments, environment, 0);
}

EXPORTED WITHOUT_FLOATS int execl(const char *path, const char *first, ...) {
  va_list rest;
  va_start(rest, first);
  int result = execute_list(by_path, path, first, &rest, 0);
  va_end(rest);
  return result;
}

EXPORTED WITHOUT_FLOATS int execlp(const char *name, const char *first, ...) {
  va_list rest;
  va_start(rest, first);
  int result = execute_list(by_search, name, first, &rest, 0);
  va_end(rest);
  return result;
}

EXPORTED WITHOUT_FLOATS int execle(const char *path, const char *first, ...) {
  va_list rest;
  va_start(rest, first);
  int result = execute_list(by_path, path, first, &rest, 1);
  va_end(rest);
  return result;
}

static int spawn(enum way way, pid_t *process, const char *path,
                 const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
                 char *const arguments[], char *const environment[]) {
  struct start s = {.way = way, .path = path, .arguments = arguments, .process = process,
                    .actions = actions, .attributes = attributes};
  return begin(&s, environment);
}

EXPORTED int posix_spawn(pid_t *process, const char *path,
                         const posix_spawn_file_actions_t *actions,
                         const posix_spawnattr_t *attributes, char *const arguments[],
                         char *const environment[]) {
  return spawn(spawned, process, path, actions, attributes, arguments, environment);
}

EXPORTED int posix_spawnp(pid_t *process, const char *name,
                          const posix_spawn_file_actions_t *actions,
                          const posix_spawnattr_t *attributes, char *const arguments[],
                          char *const environment[]) {
  return spawn(spawned_by_search, process, name, actions, attributes, arguments, environment);
}

#pragma clang attribute pop
