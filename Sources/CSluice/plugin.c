// The system calls that a plugin's process may make, as a seccomp filter: memory, clocks, reading and
// writing on what is open already, and its end. Everything else is refused with EPERM: a plugin is a
// function of its arguments.
#include <sys/mman.h>

#include "filter.h"

static const int calls_allowed[] = {
    SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_recvmsg, SYS_sendmsg, SYS_recvfrom, SYS_sendto,
    SYS_close, SYS_fstat, SYS_lseek, SYS_ppoll,
    SYS_munmap, SYS_mremap, SYS_madvise, SYS_brk,
    SYS_futex, SYS_gettid, SYS_getpid, SYS_sched_yield, SYS_rt_sigaction, SYS_rt_sigprocmask,
    SYS_rt_sigreturn, SYS_sigaltstack, SYS_restart_syscall, SYS_exit, SYS_exit_group,
    SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday,
    SYS_getrandom, SYS_uname,
#ifdef __x86_64__
    SYS_poll, SYS_time,
#endif
};

int sluice_seccomp_enter_plugin(void) {
  uint32_t refused = FAILS_WITH(EPERM);
  struct filter filter;
  begin(&filter, KILLED);
  for_calls(&filter, calls_allowed, sizeof calls_allowed / sizeof *calls_allowed, ALLOWED);
  for_bits(&filter, SYS_mmap, 2, PROT_EXEC, refused, ALLOWED);
  for_bits(&filter, SYS_mprotect, 2, PROT_EXEC, refused, ALLOWED);
  // abort() signals this process.
  uint32_t self = (uint32_t)getpid();
  for_values(&filter, SYS_tgkill, 0, &self, 1, ALLOWED, refused);
  answer(&filter, refused);
  return enter(&filter);
}
