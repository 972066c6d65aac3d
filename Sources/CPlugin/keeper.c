// The keeper: forks the nursery, and another one after that has died, because the engine itself has
// given up the right to fork. It loads no library and reads nothing that a plugin has written.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "CPlugin.h"
#include "CSluice.h"

void cplugin_end_with(int parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (getppid() != parent) _exit(0);
}

void cplugin_keep_only(int socket) {
  if (socket != cplugin_only_socket) dup2(socket, cplugin_only_socket);
  syscall(SYS_close_range, cplugin_only_socket + 1, ~0u, 0);
}

// --- the keeper's process -----------------------------------------------------------------------

struct keeper {
  const char *const *libraries;
  size_t count;
  int confines;
  int nursery;  // 0: none
};

static void end_nursery(struct keeper *keeper) {
  if (keeper->nursery <= 0) return;
  kill(keeper->nursery, SIGKILL);
  while (waitpid(keeper->nursery, NULL, 0) < 0 && errno == EINTR) {}
  keeper->nursery = 0;
}

// Forks a nursery; its socket, or -errno.
static int make_nursery(struct keeper *keeper) {
  int ends[2], parent = getpid();
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) return -errno;
  int process = fork();
  if (process == 0) {
    cplugin_end_with(parent);
    cplugin_keep_only(ends[1]);
    cplugin_serve_nursery(keeper->libraries, keeper->count, keeper->confines);
  }
  int error = errno;
  close(ends[1]);
  if (process > 0) {
    keeper->nursery = process;
    return ends[0];
  }
  close(ends[0]);
  return -error;
}

static void keep(struct keeper *keeper) __attribute__((__noreturn__));
static void keep(struct keeper *keeper) {
  // Ctrl-C goes to the engine too, which ends in order.
  signal(SIGINT, SIG_IGN);
  signal(SIGTERM, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  prctl(PR_SET_NAME, "sluice-keeper", 0, 0, 0);
  int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(nothing, 0);
  dup2(2, 1);
  if (nothing > cplugin_only_socket) close(nothing);
  if (keeper->confines && sluice_forbid_new_privileges() < 0) _exit(0);
  char wish;
  while (cplugin_receive(cplugin_only_socket, &wish, sizeof wish, INT64_MAX) == 0) {
    end_nursery(keeper);
    int socket = make_nursery(keeper);
    cplugin_send_descriptor(cplugin_only_socket, socket < 0 ? 0 : keeper->nursery, socket);
    if (socket >= 0) close(socket);
  }
  // The engine has ended.
  end_nursery(keeper);
  _exit(0);
}

// --- the engine's side --------------------------------------------------------------------------

int cplugin_start(const char *const *libraries, size_t count, int confines, int *process) {
  int ends[2], parent = getpid();
  // The signal would come with the end of the thread, not of the process.
  int is_main_thread = (int)syscall(SYS_gettid) == parent;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) return -errno;
  *process = fork();
  if (*process < 0) {
    int error = errno;
    close(ends[0]);
    close(ends[1]);
    return -error;
  }
  if (*process == 0) {
    if (is_main_thread) cplugin_end_with(parent);
    cplugin_keep_only(ends[1]);
    struct keeper keeper = {libraries, count, confines, 0};
    keep(&keeper);
  }
  close(ends[1]);
  return ends[0];
}

int cplugin_renew(int keeper) {
  char wish = 1;
  int process, result = cplugin_send(keeper, &wish, sizeof wish, INT64_MAX);
  return result < 0 ? result : cplugin_receive_descriptor(keeper, &process);
}

void cplugin_kill(int process) { kill(process, SIGKILL); }

void cplugin_await(int process) {
  while (waitpid(process, NULL, 0) < 0 && errno == EINTR) {}
}
