#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sluice_probes.h"

extern char **environ;

int sluice_probe_close_range(void) {
  return syscall(SYS_close_range, 0x7ffffff0u, 0x7fffffffu, 0u) < 0 ? -errno : 0;
}

static int end_at_once(void *unused) {
  (void)unused;
  _exit(0);
}

int sluice_probe_clone(void) {
  static char stack[16384] __attribute__((aligned(16)));
  int child = clone(end_at_once, stack + sizeof stack, CLONE_VM | CLONE_VFORK, NULL);
  if (child < 0) return -errno;
  int status;
  while (waitpid(child, &status, __WCLONE) < 0 && errno == EINTR) {}
  return 0;
}

int sluice_probe_seccomp(void) {
  uint32_t action = SECCOMP_RET_ERRNO;
  return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0 ? -errno : 0;
}

int sluice_probe_seccomp_mode(void) {
  int mode = prctl(PR_GET_SECCOMP, 0, 0, 0, 0);
  return mode < 0 ? -errno : mode;
}

int sluice_probe_no_new_privileges(void) {
  int is_set = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
  return is_set < 0 ? -errno : is_set;
}

uint64_t sluice_probe_limit(char letter) {
  int resource = letter == 'n'   ? RLIMIT_NOFILE
                 : letter == 'u' ? RLIMIT_NPROC
                 : letter == 'f' ? RLIMIT_FSIZE
                 : letter == 'l' ? RLIMIT_MEMLOCK
                                 : RLIMIT_AS;
  struct rlimit limit;
  if (getrlimit(resource, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY) return UINT64_MAX;
  return limit.rlim_cur;
}

const char *sluice_probe_variable(int index, int *length) {
  for (int i = 0; environ && environ[i]; i++) {
    const char *end = strchr(environ[i], '=');
    if (i == index && end) {
      *length = (int)(end - environ[i]);
      return environ[i];
    }
  }
  return NULL;
}
