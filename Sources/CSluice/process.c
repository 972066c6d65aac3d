#include <dlfcn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "CSluice.h"

extern char **environ;

const int sluice_lease_signal = 40;  // a real-time signal, so that breaks queue up

struct spawn {
  const char *program;
  char *const *arguments;
  int descriptor;
  int error;
};

// Runs in the child, in the parent's memory, while the parent stands still (CLONE_VM | CLONE_VFORK):
// system calls only, and no return.
static int spawn_child(void *context) {
  struct spawn *spawn = context;
  for (int signal = 1; signal < NSIG; signal++) {
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigaction(signal, &action, NULL);
  }
  sigset_t none;
  sigemptyset(&none);
  int null;
  if (setsid() < 0) goto failed;
  // The descriptor may be any of 0 to 3 itself: move it out of the way first.
  int passed = fcntl(spawn->descriptor, F_DUPFD_CLOEXEC, 10);
  if (passed < 0 || (null = open("/dev/null", O_RDWR)) < 0) goto failed;
  if (dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(passed, 3) < 0) goto failed;
  if (fcntl(2, F_GETFD) < 0 && dup2(null, 2) < 0) goto failed;
  if (syscall(SYS_close_range, 4u, ~0u, 0u) < 0) goto failed;
  sigprocmask(SIG_SETMASK, &none, NULL);
  execve(spawn->program, spawn->arguments, environ);
failed:
  spawn->error = errno;
  _exit(127);
}

int sluice_spawn(const char *program, char *const arguments[], int descriptor) {
  enum { stack_byte_count = 64 * 1024 };
  char *stack = mmap(NULL, stack_byte_count, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return -errno;
  struct spawn spawn = {program, arguments, descriptor, 0};
  // No handler of the host's may run in the child while it shares the host's memory.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  // No exit signal: the host sees no SIGCHLD and its wait() does not find this child.
  int pid = clone(spawn_child, stack + stack_byte_count, CLONE_VM | CLONE_VFORK, &spawn);
  int error = pid < 0 ? errno : spawn.error;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  munmap(stack, stack_byte_count);
  if (error != 0) {
    if (pid > 0) sluice_spawn_collect(pid, 1);
    return -error;
  }
  return pid;
}

int sluice_become(char *const arguments[], int kept) {
  if (kept >= 0 && fcntl(kept, F_SETFD, 0) < 0) return -errno;
  execvp(arguments[0], arguments);
  return -errno;
}

int sluice_spawn_collect(int pid, int wait) {
  int status;
  return SLUICE_RETRY(waitpid(pid, &status, __WCLONE | (wait ? 0 : WNOHANG))) == pid;
}

int sluice_pidfd_open(int pid) {
  long fd = syscall(SYS_pidfd_open, pid, 0);
  return fd < 0 ? -errno : (int)fd;
}

int sluice_signals_take(int lease_signal) {
  sigset_t all, taken;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, NULL);
  sigemptyset(&taken);
  sigaddset(&taken, SIGTERM);
  sigaddset(&taken, SIGINT);
  sigaddset(&taken, SIGHUP);
  sigaddset(&taken, SIGIO);
  sigaddset(&taken, lease_signal);
  int fd = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
  return fd < 0 ? -errno : fd;
}

int sluice_signals_read(int fd, int *descriptor) {
  struct signalfd_siginfo info;
  int64_t n = SLUICE_RETRY(read(fd, &info, sizeof info));
  if (n < 0) return (int)n;
  *descriptor = info.ssi_code == SI_USER || info.ssi_code == SI_TKILL ? -1 : info.ssi_fd;
  return (int)info.ssi_signo;
}

int sluice_descriptor_is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

void sluice_raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

const char *sluice_loaded_from(const void *address) {
  Dl_info info;
  return dladdr(address, &info) ? info.dli_fname : NULL;
}
