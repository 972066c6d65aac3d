#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "CSluice.h"

static _Thread_local struct sluice_last_error last_error;
static _Thread_local uint64_t thread_token;

struct sluice_last_error *sluice_last_error(void) { return &last_error; }

uint64_t sluice_thread_token(void) { return thread_token; }

void sluice_thread_set_token(uint64_t token) { thread_token = token; }

int sluice_thread_id(void) { return (int)syscall(SYS_gettid); }

int sluice_thread_announce_end(uint32_t *word) {
  static _Thread_local struct robust_list entry;
  static _Thread_local struct robust_list_head head;
  static _Thread_local struct robust_list_head *before;
  size_t length = sizeof head;
  if (word == NULL) {
    if (before != NULL && syscall(SYS_set_robust_list, before, length) != 0) return -errno;
    before = NULL;
    return 0;
  }
  if (before == NULL && syscall(SYS_get_robust_list, 0, &before, &length) != 0) return -errno;
  // A list with one entry, which points back to the head.
  entry.next = &head.list;
  head.list.next = &entry;
  head.futex_offset = (long)((uintptr_t)word - (uintptr_t)&entry);
  head.list_op_pending = NULL;
  return syscall(SYS_set_robust_list, &head, sizeof head) == 0 ? 0 : -errno;
}

int sluice_thread_start(const char *name, void *(*body)(void *), void *argument,
                        pthread_t *thread) {
  sigset_t all, before;
  sigfillset(&all);
  // See sluice_stop_signals_take.
  sigdelset(&all, SIGSYS);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  // The new thread inherits the name. Naming another thread takes a file of /proc, which a confined
  // sidecar cannot write.
  char own_name[16];
  prctl(PR_GET_NAME, own_name);
  prctl(PR_SET_NAME, name);
  int error = pthread_create(thread, NULL, body, argument);
  prctl(PR_SET_NAME, own_name);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return -error;
}

int sluice_processor_count(void) {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}
