#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sluice_command_process.h"

static sigset_t mask_before;
static struct sigaction child_handling_before;

int sluice_signals_hold(void) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &mask_before);
  // A process that ignores SIGCHLD cannot learn how its children ended.
  struct sigaction standard = {.sa_handler = SIG_DFL};
  sigaction(SIGCHLD, &standard, &child_handling_before);
  int descriptor = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
  return descriptor < 0 ? -errno : descriptor;
}

void sluice_signals_release(void) {
  sigaction(SIGCHLD, &child_handling_before, NULL);
  sigprocmask(SIG_SETMASK, &mask_before, NULL);
}

int sluice_signals_next(int descriptor, int *number, int *sender) {
  struct signalfd_siginfo info;
  if (read(descriptor, &info, sizeof info) != sizeof info) return 0;
  *number = (int)info.ssi_signo;
  *sender = info.ssi_code == SI_USER || info.ssi_code == SI_QUEUE || info.ssi_code == SI_TKILL
                ? (int)info.ssi_pid
                : 0;
  return 1;
}

int sluice_fork(void) {
  int child = fork();
  return child < 0 ? -errno : child;
}

void sluice_die_with(int parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  // It may have died before that.
  if (getppid() != parent) _exit(1);
}

int sluice_adopt_orphans(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

void sluice_signal_child(int child, int number) { kill(child, number); }

int sluice_child_state(int child, int *value) {
  siginfo_t info = {.si_pid = 0};
  int which = WEXITED | WSTOPPED | WNOHANG | WNOWAIT;
  if (waitid(P_PID, (id_t)child, &info, which) < 0 || info.si_pid == 0) return sluice_child_runs;
  *value = info.si_status;
  switch (info.si_code) {
    case CLD_EXITED: return sluice_child_exited;
    case CLD_KILLED:
    case CLD_DUMPED: return sluice_child_killed;
    case CLD_STOPPED: return sluice_child_stopped;
    default: return sluice_child_runs;
  }
}

void sluice_children_reap(void) {
  int status;
  while (waitpid(-1, &status, WNOHANG) > 0) {
  }
}

// Lets the default action of `number` happen here and now.
static void take(int number) {
  struct sigaction standard = {.sa_handler = SIG_DFL}, before;
  sigaction(number, &standard, &before);
  raise(number);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, number);
  sigprocmask(SIG_UNBLOCK, &one, NULL);
  sigprocmask(SIG_BLOCK, &one, NULL);
  sigaction(number, &before, NULL);
}

void sluice_stop_by(int number) { take(number); }

void sluice_end_by(int number) {
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  take(number);
  // The default action of this signal does not end a process; so it did not end the command.
  _exit(128 + number);
}

static void put_nothing(int descriptor, int flags) {
  int nothing = open("/dev/null", flags | O_CLOEXEC);
  if (nothing < 0) return;
  dup2(nothing, descriptor);
  close(nothing);
}

void sluice_release_inherited(void) {
  put_nothing(0, O_RDONLY);
  put_nothing(1, O_WRONLY);
  DIR *directory = opendir("/proc/self/fd");
  if (!directory) return;
  for (struct dirent *entry; (entry = readdir(directory));) {
    int descriptor = atoi(entry->d_name);
    int flags = descriptor > 2 ? fcntl(descriptor, F_GETFD) : -1;
    if (flags >= 0 && !(flags & FD_CLOEXEC)) close(descriptor);
  }
  closedir(directory);
}

void sluice_release_standard_error(void) { put_nothing(2, O_WRONLY); }

void sluice_name_process(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

void sluice_leave_session(void) {
  setsid();
  if (chdir("/") < 0) return;
}
