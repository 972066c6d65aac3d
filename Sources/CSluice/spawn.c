// Starts a program that this process does not notice.
//
// A process that has executed a program has the exit signal SIGCHLD, whatever clone() was told, and
// wait() finds it. A process that has executed nothing keeps the exit signal 0, and only a wait for
// clones (__WCLONE) finds it. So a middle process, which executes nothing, starts the program:
//
//   host ──clone, exit signal 0──▶ middle ──▶ program
//
// Nearly always the middle process ends at once, and the program becomes a child of init. If the
// host itself collects orphans (process 1 of a container, or a subreaper), the program would become
// the host's child. Then the middle process stays, as the program's parent, until the program ends.
// It shares the host's memory, holds no descriptor and no directory, and takes no signal.
#include <sched.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "CSluice.h"

extern char **environ;

enum { stack_byte_count = 64 * 1024 };

struct spawn {
  const char *program;
  char *const *arguments;
  int descriptor;
  uint32_t user, group;
  int has_other_ids;
  int middle_stays;
  // Both processes share this with the host.
  _Atomic uint32_t is_done;
  int pid;
  int error;
  int middle;
  struct spawn *next;
  char middle_stack[stack_byte_count] __attribute__((aligned(16)));
  char program_stack[stack_byte_count] __attribute__((aligned(16)));
};

// A system call that does not change errno. The middle process has the thread-local variables of
// the thread that made it, and that thread continues.
static long raw_call(long number, long a, long b, long c, long d) {
#if defined(__x86_64__)
  long result;
  register long r10 __asm__("r10") = d;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                   : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
  return x0;
#else
#error "how does this processor call the system?"
#endif
}

enum { futex_wait = 0, futex_wake = 1 };

// Opens something that cannot be read or written, if /dev/null is absent.
static int open_nothing(void) {
  int fd = open("/dev/null", O_RDWR);
  return fd >= 0 ? fd : epoll_create1(0);
}

// The program's process. It is in the host's memory until it executes, so it makes only system
// calls and does not return. `setresuid` and similar calls bypass the C library, which would change
// every thread of the host.
static int be_program(void *context) {
  struct spawn *spawn = context;
  for (int signal = 1; signal < NSIG; signal++) {
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigaction(signal, &action, NULL);
  }
  sigset_t none;
  sigemptyset(&none);
  int nothing;
  if (setsid() < 0) goto failed;
  if (spawn->has_other_ids) {
    long group = spawn->group, user = spawn->user;
    if (syscall(SYS_setresgid, group, group, group) < 0) goto failed;
    if (syscall(SYS_setresuid, user, user, user) < 0) goto failed;
  }
  // The descriptor itself may be any of 0 to 3, so move it out of the way first.
  int passed = fcntl(spawn->descriptor, F_DUPFD_CLOEXEC, 10);
  if (passed < 0 || (nothing = open_nothing()) < 0) goto failed;
  if (dup2(nothing, 0) < 0 || dup2(nothing, 1) < 0 || dup2(passed, 3) < 0) goto failed;
  if (fcntl(2, F_GETFD) < 0 && dup2(nothing, 2) < 0) goto failed;
  if (syscall(SYS_close_range, 4u, ~0u, 0u) < 0) goto failed;
  sigprocmask(SIG_SETMASK, &none, NULL);
  execve(spawn->program, spawn->arguments, environ);
failed:
  spawn->error = errno;
  _exit(127);
}

static int be_middle(void *context) {
  struct spawn *spawn = context;
  int pid = clone(be_program, spawn->program_stack + stack_byte_count,
                  CLONE_VM | CLONE_VFORK | SIGCHLD, spawn);
  if (pid < 0) spawn->error = errno;
  spawn->pid = pid;
  int stays = spawn->middle_stays && spawn->error == 0;
  // A process that executed nothing must not become an orphan either.
  if (pid >= 0 && spawn->error != 0) raw_call(SYS_wait4, pid, 0, __WALL, 0);
  atomic_store(&spawn->is_done, 1);
  // From here on the host's thread continues.
  raw_call(SYS_futex, (long)&spawn->is_done, futex_wake, 1, 0);
  if (stays) {
    raw_call(SYS_setsid, 0, 0, 0, 0);
    raw_call(SYS_chdir, (long)"/", 0, 0, 0);
    raw_call(SYS_prctl, PR_SET_NAME, (long)"sluice-parent", 0, 0);
    raw_call(SYS_close_range, 0, ~0u, 0, 0);
    raw_call(SYS_wait4, pid, 0, __WALL, 0);
  }
  raw_call(SYS_exit_group, 0, 0, 0, 0);
  __builtin_unreachable();
}

static int collects_orphans(void) {
  int is_subreaper = 0;
  return getpid() == 1 ||
         (prctl(PR_GET_CHILD_SUBREAPER, &is_subreaper, 0, 0, 0) == 0 && is_subreaper);
}

// The middle processes that stay. A thread that takes the list has it alone.
static _Atomic(struct spawn *) staying;

static int has_ended(struct spawn *spawn) {
  // Negative in a forked child: it has the list, but the processes are its parent's children.
  return raw_call(SYS_wait4, spawn->middle, 0, WNOHANG | __WCLONE, 0) != 0;
}

static void keep(struct spawn *spawn) {
  struct spawn *first = atomic_load(&staying);
  do spawn->next = first;
  while (!atomic_compare_exchange_weak(&staying, &first, spawn));
}

static void collect_ended(void) {
  struct spawn *next, *spawn = atomic_exchange(&staying, NULL);
  for (; spawn != NULL; spawn = next) {
    next = spawn->next;
    if (has_ended(spawn)) munmap(spawn, sizeof *spawn);
    else keep(spawn);
  }
}

// Waits until the program was executed, or could not be. The wait also ends if the middle process
// is killed before that.
static void await_done(struct spawn *spawn) {
  struct timespec slice = {0, 100000000};
  while (atomic_load(&spawn->is_done) == 0) {
    raw_call(SYS_futex, (long)&spawn->is_done, futex_wait, 0, (long)&slice);
    if (atomic_load(&spawn->is_done) == 0 && has_ended(spawn)) {
      spawn->error = ECHILD;
      spawn->middle = 0;
      return;
    }
  }
}

int sluice_spawn(const char *program, char *const arguments[], int descriptor) {
  collect_ended();
  struct spawn *spawn = mmap(NULL, sizeof *spawn, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (spawn == MAP_FAILED) return -errno;
  struct sluice_standing standing;
  sluice_standing_take(&standing);
  uid_t user[3];
  gid_t group[3];
  getresuid(&user[0], &user[1], &user[2]);
  getresgid(&group[0], &group[1], &group[2]);
  spawn->program = program;
  spawn->arguments = arguments;
  spawn->descriptor = descriptor;
  spawn->user = standing.file_system_user;
  spawn->group = standing.file_system_group;
  for (int i = 0; i < 3; i++)
    if (user[i] != spawn->user || group[i] != spawn->group) spawn->has_other_ids = 1;
  spawn->middle_stays = collects_orphans();
  // No signal handler of the host may run in a child while it shares the host's memory.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int flags = CLONE_VM | (spawn->middle_stays ? 0 : CLONE_VFORK);
  spawn->middle = clone(be_middle, spawn->middle_stack + stack_byte_count, flags, spawn);
  if (spawn->middle < 0) spawn->error = errno;
  else await_done(spawn);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  int result = spawn->error != 0 ? -spawn->error : spawn->pid;
  if (spawn->middle > 0 && spawn->middle_stays && result >= 0) {
    keep(spawn);
    return result;
  }
  int status;
  if (spawn->middle > 0) SLUICE_RETRY(waitpid(spawn->middle, &status, __WCLONE));
  munmap(spawn, sizeof *spawn);
  return result;
}
