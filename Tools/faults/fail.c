// Counts calls by the places that make them, and makes some of them fail. See layer.h.

#include "layer.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <unwind.h>

struct fail_control *fail_control;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uintptr_t program_start, program_end;

static int note_program(struct dl_phdr_info *info, size_t size, void *context) {
  (void)size, (void)context;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[i];
    uintptr_t end = info->dlpi_addr + header->p_vaddr + header->p_memsz;
    if (header->p_type == PT_LOAD && end > program_end) program_end = end;
  }
  program_start = info->dlpi_addr;
  return 1;  // the first is the program
}

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("SLUICE_FAULTS_FAIL");
  if (!path) return;
  dl_iterate_phdr(note_program, NULL);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  void *address = MAP_FAILED;
  if (fd >= 0) {
    void *(*map)(void *, size_t, int, int, int, off_t) = dlsym(RTLD_NEXT, "mmap");
    address = map(NULL, sizeof *fail_control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
  }
  if (address == MAP_FAILED) {
    fprintf(stderr, "sluice: faults: %s: %s\n", path, strerror(errno));
    abort();
  }
  fail_control = address;
}

struct walk {
  uint64_t callers[SITE_DEPTH];
  int count;
};

static _Unwind_Reason_Code note_frame(struct _Unwind_Context *context, void *argument) {
  struct walk *walk = argument;
  uintptr_t at = _Unwind_GetIP(context);
  // The frames of this library come first.
  if (at >= program_start && at < program_end) walk->callers[walk->count++] = at - program_start;
  return walk->count == SITE_DEPTH ? _URC_END_OF_STACK : _URC_NO_REASON;
}

static struct fail_site *site_of(enum call call, const struct walk *walk) {
  uint64_t hash = call;
  for (int i = 0; i < SITE_DEPTH; i++) hash = (hash ^ walk->callers[i]) * 0x9e3779b97f4a7c15u;
  for (uint64_t probe = 0; probe < SITE_COUNT; probe++) {
    struct fail_site *site =
        &fail_control->sites[((hash >> 20) + probe) & (SITE_COUNT - 1)];
    if (site->call == CALL_none) {
      site->call = call;
      memcpy(site->callers, walk->callers, sizeof site->callers);
      fail_control->site_count++;
      return site;
    }
    if (site->call == call && memcmp(site->callers, walk->callers, sizeof site->callers) == 0)
      return site;
  }
  fail_control->sites_lost++;
  return NULL;
}

int fail_now(enum call call) {
  static _Thread_local int is_busy;
  struct fail_control *control = fail_control;
  if (!control || is_busy || !__atomic_load_n(&control->armed, __ATOMIC_ACQUIRE)) return 0;
  int error = errno;
  is_busy = 1;
  struct walk walk = {0};
  _Unwind_Backtrace(note_frame, &walk);
  int how = 0;
  // A call from elsewhere, the C++ library or this library itself, is not the product's.
  if (walk.count > 0) {
    pthread_mutex_lock(&lock);
    uint64_t number = ++control->counts[call];
    struct fail_site *site = site_of(call, &walk);
    if (site) site->count++;
    if (control->call == (uint32_t)call && number >= control->first &&
        number - control->first < control->count) {
      how = (int)control->how;
      control->failed_count++;
      if (site) site->failed_count++;
    }
    pthread_mutex_unlock(&lock);
  }
  is_busy = 0;
  errno = error;
  return how;
}
