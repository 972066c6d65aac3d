#include <dlfcn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "CSluice.h"

extern char **environ;

const int sluice_lease_signal = 40;  // a real-time signal, so that breaks queue up

// A program that was executed has SIGCHLD for its exit signal, whatever clone() was told. So a
// middle process starts the program and ends: it executes nothing, hence ends without a signal and
// out of sight of the host's wait(), and the program becomes a child of init.
enum { child_stack_byte_count = 64 * 1024 };

struct spawn {
  const char *program;
  char *const *arguments;
  int descriptor;
  char *stack;
  int pid;
  int error;
};

// These two run in the host's memory while the host's thread stands still (CLONE_VM | CLONE_VFORK):
// system calls only, and no return.
static int spawn_program(void *context) {
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

static int spawn_middle(void *context) {
  struct spawn *spawn = context;
  spawn->pid = clone(spawn_program, spawn->stack + child_stack_byte_count,
                     CLONE_VM | CLONE_VFORK, spawn);
  if (spawn->pid < 0) spawn->error = errno;
  _exit(0);
}

// Runs `body` in a child that shares this process's memory and has a copy of its descriptors, and
// waits for its end: 0, or -errno where there is no child.
static int run_beside(int (*body)(void *), void *context) {
  char *stack = mmap(NULL, child_stack_byte_count, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return -errno;
  // No handler of the host's may run in the child while it shares the host's memory.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int child = clone(body, stack + child_stack_byte_count, CLONE_VM | CLONE_VFORK, context);
  int error = child < 0 ? errno : 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  int status;
  if (child > 0) SLUICE_RETRY(waitpid(child, &status, __WCLONE));
  munmap(stack, child_stack_byte_count);
  return -error;
}

int sluice_spawn(const char *program, char *const arguments[], int descriptor) {
  char *stack = mmap(NULL, child_stack_byte_count, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return -errno;
  struct spawn spawn = {program, arguments, descriptor, stack, 0, 0};
  int result = run_beside(spawn_middle, &spawn);
  munmap(stack, child_stack_byte_count);
  if (result < 0) return result;
  return spawn.error != 0 ? -spawn.error : spawn.pid;
}

struct passed_mapping {
  int socket;
  void *message;
  size_t message_byte_count;
  int64_t offset;
  uint64_t byte_count;
  int writable;
  int64_t result;
  void *address;
  int map_error;
};

// In the caller's memory, but with a copy of its descriptors: what is received here, and closed by
// exiting, never stands among the caller's own.
static int receive_mapping(void *context) {
  struct passed_mapping *passed = context;
  int first, second, sender;
  passed->result = sluice_socket_receive(passed->socket, passed->message,
                                         passed->message_byte_count, &first, &second, &sender);
  if (passed->result >= 0)
    passed->map_error = sluice_map(first, passed->offset, passed->byte_count, passed->writable, 1,
                                   &passed->address);
  _exit(0);
}

int64_t sluice_receive_mapping(int socket, void *message, size_t message_byte_count,
                               int64_t offset, uint64_t byte_count, int writable, void **address, int *map_error) {
  struct passed_mapping passed = {.socket = socket,
                                  .message = message,
                                  .message_byte_count = message_byte_count,
                                  .offset = offset,
                                  .byte_count = byte_count,
                                  .writable = writable,
                                  .address = *address};
  int result = run_beside(receive_mapping, &passed);
  *address = passed.address;
  *map_error = passed.map_error;
  return result < 0 ? result : passed.result;
}

int sluice_become(char *const arguments[], int kept) {
  if (kept >= 0 && fcntl(kept, F_SETFD, 0) < 0) return -errno;
  execvp(arguments[0], arguments);
  return -errno;
}

int sluice_pidfd_open(int pid) {
  long fd = syscall(SYS_pidfd_open, pid, 0);
  return fd < 0 ? -errno : (int)fd;
}

int sluice_signals_take(int lease_signal) {
  sigset_t all, taken;
  sigfillset(&all);
  // A system call that is refused and reported (confinement.c) is a signal that must come through.
  sigdelset(&all, SIGSYS);
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

uint64_t sluice_address_space_limit(void) {
  struct rlimit limit;
  return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY ? limit.rlim_cur
                                                                              : UINT64_MAX;
}

uint64_t sluice_raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return 0;
  rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? before : limit.rlim_max;
}

const char *sluice_loaded_from(const void *address) {
  Dl_info info;
  return dladdr(address, &info) ? info.dli_fname : NULL;
}
