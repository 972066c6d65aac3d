// The system calls that a serving sidecar may make, as a seccomp filter.
//
// Three answers:
//   allowed  calls that the sidecar needs for files, sockets, memory, threads and clocks. Calls that
//            can do more than it needs are allowed only with certain arguments: no memory becomes
//            executable, no process is started, no other process is signalled.
//   killed   calls that only an intruder makes: run a program, look into another process, load code
//            into the kernel, change root, mounts, namespaces or ids. A caller of these controls
//            the process already, and its end costs no client anything that the intruder could not
//            take.
//   refused  everything else, with ENOSYS. The C library may make an unexpected call, under an
//            unusual locale or in its next release. That must not harm other users' databases. The
//            C library can do without the call, because old kernels lack many calls. A refused call
//            helps an intruder no more than a fatal one. (EPERM would make the C library give up;
//            ENOSYS makes it try an older call.)
//
// To find calls that the list lacks: `serve --report-confinement` (SLUICE_CONFINEMENT=report) names
// each refused call on standard error. The kernel's log names a killed one, if auditing is on
// (`dmesg | grep type=1326`; syscall= is the number).
//
// A call that is allowed with any arguments costs almost nothing, because the kernel remembers such
// calls in a bitmap (since 5.11).
#include <linux/futex.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <ucontext.h>

#include "filter.h"

int sluice_forbid_new_privileges(void) {
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

// --- Landlock -----------------------------------------------------------------------------------
// Debian 12's headers know version 1 of 7. This file declares what it needs of the other versions.

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

struct ruleset_attributes {
  uint64_t files;
  uint64_t network;  // since version 4
  uint64_t scopes;   // since version 6
};
_Static_assert(sizeof(struct ruleset_attributes) == 24, "struct landlock_ruleset_attr");

struct rule_attributes {
  uint64_t rights;
  int32_t descriptor;
} __attribute__((packed));
_Static_assert(sizeof(struct rule_attributes) == 12, "struct landlock_path_beneath_attr");

int sluice_landlock_version(void) {
  long version = syscall(SYS_landlock_create_ruleset, NULL, 0, 1 /* CREATE_RULESET_VERSION */);
  return version < 0 ? -errno : (int)version;
}

int sluice_landlock_create(uint64_t files, uint64_t network, uint64_t scopes) {
  // A kernel that knows a shorter structure accepts this one if the rest is zero.
  struct ruleset_attributes attributes = {files, network, scopes};
  long ruleset = syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
  return ruleset < 0 ? -errno : (int)ruleset;
}

int sluice_landlock_allow(int ruleset, int descriptor, uint64_t rights) {
  struct rule_attributes attributes = {rights, descriptor};
  long result = syscall(SYS_landlock_add_rule, ruleset, 1 /* PATH_BENEATH */, &attributes, 0);
  return result < 0 ? -errno : 0;
}

int sluice_landlock_enter(int ruleset) {
  return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}

// --- the sidecar's list -------------------------------------------------------------------------

static const int calls_allowed[] = {
    // Files. Only openat2 and a few others take a name; Landlock decides which files.
    SYS_openat2, SYS_openat, SYS_close, SYS_close_range, SYS_read, SYS_write, SYS_readv, SYS_writev,
    SYS_pread64, SYS_pwrite64, SYS_preadv, SYS_pwritev, SYS_preadv2, SYS_pwritev2, SYS_lseek,
    SYS_ftruncate, SYS_fallocate, SYS_fsync, SYS_fdatasync, SYS_sync_file_range, SYS_fadvise64,
    SYS_fstat, SYS_newfstatat, SYS_statx, SYS_fstatfs, SYS_faccessat, SYS_faccessat2,
    SYS_readlinkat, SYS_unlinkat, SYS_fchmod, SYS_fchown, SYS_flock, SYS_fcntl, SYS_dup, SYS_dup3,
    SYS_getcwd, SYS_fchdir, SYS_copy_file_range, SYS_name_to_handle_at,
#ifdef __x86_64__
    SYS_open, SYS_access, SYS_stat, SYS_lstat, SYS_readlink, SYS_unlink, SYS_poll, SYS_epoll_wait,
    SYS_dup2, SYS_time, SYS_arch_prctl,
#endif
    // Existing sockets, and their ends. No socket is made, bound or connected.
    SYS_accept4, SYS_recvmsg, SYS_sendmsg, SYS_getsockopt, SYS_setsockopt, SYS_shutdown,
    SYS_pidfd_open, SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_ppoll, SYS_signalfd4,
    SYS_eventfd2, SYS_timerfd_create, SYS_timerfd_settime,
    // Memory.
    SYS_memfd_create, SYS_munmap, SYS_mremap, SYS_madvise, SYS_brk, SYS_mlock, SYS_munlock,
    SYS_mincore, SYS_membarrier,
    // Threads.
    SYS_futex, SYS_gettid, SYS_getpid, SYS_getppid, SYS_set_robust_list, SYS_get_robust_list,
    SYS_set_tid_address, SYS_sched_yield, SYS_sched_getaffinity, SYS_getcpu, SYS_rt_sigaction,
    SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sigaltstack, SYS_restart_syscall, SYS_exit,
    SYS_exit_group,
#ifdef SYS_rseq
    SYS_rseq,
#endif
    // Clocks, random numbers, identity and place.
    SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday,
    SYS_getrandom, SYS_uname, SYS_sysinfo, SYS_getrlimit, SYS_getrusage, SYS_getuid, SYS_geteuid,
    SYS_getgid, SYS_getegid,
};

static const int calls_killed[] = {
    SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev,
    SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_bpf,
    SYS_perf_event_open, SYS_userfaultfd, SYS_io_uring_setup, SYS_mount, SYS_umount2,
    SYS_pivot_root, SYS_chroot, SYS_move_mount, SYS_open_tree, SYS_fsopen, SYS_unshare, SYS_setns,
    SYS_open_by_handle_at, SYS_setuid, SYS_setgid, SYS_setreuid, SYS_setregid, SYS_setresuid,
    SYS_setresgid, SYS_setgroups, SYS_capset, SYS_add_key, SYS_request_key, SYS_keyctl, SYS_reboot,
    SYS_personality,
#ifdef __x86_64__
    SYS_fork, SYS_vfork, SYS_iopl, SYS_ioperm, SYS_modify_ldt,
#endif
#ifdef SYS_pidfd_getfd
    SYS_pidfd_getfd,
#endif
};

// Names a refused call on standard error, once, and lets it fail with ENOSYS. This is a signal
// handler, so it calls nothing but write(2).
static void report_refused(int signal, siginfo_t *info, void *context) {
  static uint8_t seen[1024];
  (void)signal;
  int saved = errno;
  unsigned number = (unsigned)info->si_syscall;
  if (number >= sizeof seen || !__atomic_exchange_n(&seen[number], 1, __ATOMIC_RELAXED)) {
    static const char before[] = "sluice: confinement: system call ";
    static const char after[] = " is not on the list: refused\n";
    char line[sizeof before + 10 + sizeof after], digits[10];
    size_t count = sizeof before - 1, digit = 0;
    memcpy(line, before, count);
    do digits[digit++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    while (digit > 0) line[count++] = digits[--digit];
    memcpy(line + count, after, sizeof after - 1);
    ssize_t written = write(2, line, count + sizeof after - 1);
    (void)written;
  }
  ucontext_t *registers = context;
#if defined(__x86_64__)
  registers->uc_mcontext.gregs[REG_RAX] = -ENOSYS;
#else
  registers->uc_mcontext.regs[0] = (unsigned long long)-ENOSYS;
#endif
  errno = saved;
}

int sluice_seccomp_enter_sidecar(int reports, int is_client) {
  uint32_t refused = FAILS_WITH(ENOSYS);
  if (reports) {
    struct sigaction action = {.sa_sigaction = report_refused, .sa_flags = SA_SIGINFO};
    if (sigaction(SIGSYS, &action, NULL) < 0) return -errno;
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGSYS);
    pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
    refused = SECCOMP_RET_TRAP;
  }
  struct filter filter;
  begin(&filter, KILLED);
  for_calls(&filter, calls_allowed, sizeof calls_allowed / sizeof *calls_allowed, ALLOWED);
  for_calls(&filter, calls_killed, sizeof calls_killed / sizeof *calls_killed, KILLED);
#ifdef SYS_futex_waitv
  for_call(&filter, SYS_futex_waitv, ALLOWED);
#else
  for_call(&filter, 449, ALLOWED);
#endif
  for_bits(&filter, SYS_mmap, 2, PROT_EXEC, FAILS_WITH(EACCES), ALLOWED);
  for_bits(&filter, SYS_mprotect, 2, PROT_EXEC, FAILS_WITH(EACCES), ALLOWED);
  // A client of another sidecar tries a child to receive a mapping, and can do without.
  for_bits(&filter, SYS_clone, 0, CLONE_THREAD, ALLOWED, is_client ? FAILS_WITH(EPERM) : KILLED);
  // It looks whether that sidecar lives.
  if (is_client) for_call(&filter, SYS_recvfrom, ALLOWED);
  // Its flags are in memory, where no filter can see them. The C library uses clone instead.
  for_call(&filter, SYS_clone3, FAILS_WITH(ENOSYS));
  // abort() and raise() signal this process. These calls are refused for any other process.
  uint32_t self = (uint32_t)getpid(), itself = 0;
  for_values(&filter, SYS_tgkill, 0, &self, 1, ALLOWED, refused);
  for_values(&filter, SYS_prlimit64, 0, &itself, 1, ALLOWED, refused);
  // The only allowed ioctl: is this a terminal?
  static const uint32_t questions[] = {TCGETS};
  for_values(&filter, SYS_ioctl, 1, questions, 1, ALLOWED, refused);
  static const uint32_t names[] = {PR_SET_NAME, PR_GET_NAME, 0x53564d41 /* PR_SET_VMA */};
  for_values(&filter, SYS_prctl, 0, names, 3, ALLOWED, refused);
  answer(&filter, refused);
  return enter(&filter);
}
