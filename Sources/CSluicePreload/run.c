#include "run.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#include "CSluice.h"

struct run run;
struct real real;

static const char *const names[] = {
    "fcntl", "execve", "execvpe", "execveat", "fexecve", "posix_spawn", "posix_spawnp",
};
_Static_assert(sizeof names / sizeof *names == sizeof real / sizeof(void *), "a name each");

// A program may write over the memory that its environment came in, so the text is copied.
static char texts[4096];

static const char *keep(size_t *used, const char *text) {
  size_t byte_count = strlen(text) + 1;
  if (*used + byte_count > sizeof texts) return NULL;
  const char *kept = memcpy(texts + *used, text, byte_count);
  *used += byte_count;
  return kept;
}

static void keep_run(char **environment) {
  static const char prefix[] = "SLUICE_", mark[] = "SLUICE_WATCH=";
  const char *watcher = getenv("SLUICE_WATCH");
  Dl_info self;
  if (!watcher || !*watcher || !dladdr(texts, &self)) return;
  size_t used = 0;
  for (; *environment; environment++) {
    if (strncmp(*environment, prefix, sizeof prefix - 1) != 0) continue;
    const char *kept = keep(&used, *environment);
    if (!kept || run.variable_count == run_variable_count_max) return;
    run.variables[run.variable_count++] = kept;
    if (strncmp(kept, mark, sizeof mark - 1) == 0 && strchr(kept, ' '))
      run.watcher = kept + sizeof mark - 1;
  }
  run.library = keep(&used, self.dli_fname);
}

void find_real_functions(void) {
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    ((void **)&real)[i] = dlsym(RTLD_NEXT, names[i]);
}

// glibc calls initializers with the arguments of main().
static void begin(int count, char **arguments, char **environment) {
  (void)count, (void)arguments;
  find_real_functions();
  if (environment) keep_run(environment);
}

__attribute__((section(".init_array"), used)) static void (*const begin_at_load)(
    int, char **, char **) = begin;
