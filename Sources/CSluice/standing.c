#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "CSluice.h"

// FNV-1a (Fowler, Noll, Vo), 64 bits: http://www.isthe.com/chongo/tech/comp/fnv/
static uint64_t digest(const void *bytes, size_t count) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < count; i++) hash = (hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3u;
  return hash;
}

static uint64_t groups_digest(void) {
  gid_t some[64], *groups = some;
  int count = getgroups(64, some);
  if (count < 0) {
    count = getgroups(0, NULL);
    groups = count > 0 ? malloc((size_t)count * sizeof *groups) : NULL;
    if (groups == NULL || (count = getgroups(count, groups)) < 0) count = 0;
  }
  uint64_t result = digest(groups, (size_t)count * sizeof *groups);
  if (groups != some) free(groups);
  return result;
}

// A socket belongs to the file-system user and group of the thread that makes it. Reading these
// with setfsuid(-1) would end a program whose seccomp filter forbids changing them.
static void take_file_system_user(struct sluice_standing *standing) {
  standing->file_system_user = standing->user;
  standing->file_system_group = standing->group;
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  struct stat status;
  if (fstat(fd, &status) == 0) {
    standing->file_system_user = status.st_uid;
    standing->file_system_group = status.st_gid;
  }
  close(fd);
}

void sluice_standing_take(struct sluice_standing *standing) {
  *standing = (struct sluice_standing){.user = geteuid(), .group = getegid()};
  take_file_system_user(standing);
  standing->groups = groups_digest();
  struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct sets[2] = {{0}};
  if (syscall(SYS_capget, &head, sets) == 0)
    standing->capabilities = sets[0].effective | (uint64_t)sets[1].effective << 32;
  struct statx root;
  if (statx(AT_FDCWD, "/", 0, STATX_INO | STATX_MNT_ID, &root) == 0) {
    standing->root_device = (uint64_t)root.stx_dev_major << 32 | root.stx_dev_minor;
    standing->root_inode = root.stx_ino;
    // A mount has another id in another mount namespace.
    standing->root_mount = root.stx_mnt_id;
  }
  struct stat space;
  if (stat("/proc/self/ns/user", &space) == 0) standing->user_namespace = space.st_ino;
  standing->no_new_privileges = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

// What a process that this one starts would have too, and no call shows of another process: whether
// there is a seccomp filter, and the label of the kernel's security module (AppArmor, SELinux).
static uint64_t confinement_digest(void) {
  char state[1032];
  int mode = prctl(PR_GET_SECCOMP, 0, 0, 0, 0);
  memcpy(state, &mode, sizeof mode);
  size_t held = sizeof mode;
  int fd = open("/proc/thread-self/attr/current", O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    int64_t count = SLUICE_RETRY(read(fd, state + held, sizeof state - held));
    if (count > 0) held += (size_t)count;
    close(fd);
  }
  return digest(state, held);
}

void sluice_standing_mark(const struct sluice_standing *standing, char mark[33]) {
  static const char digits[] = "0123456789abcdef";
  uint64_t parts[2] = {digest(standing, sizeof *standing), confinement_digest()};
  for (int i = 0; i < 32; i++) mark[i] = digits[parts[i / 16] >> (60 - 4 * (i % 16)) & 15];
  mark[32] = 0;
}

const char *sluice_standing_marked(const struct sluice_standing *standing, const char *text) {
  char mark[33];
  sluice_standing_mark(standing, mark);
  return strncmp(text, mark, 32) == 0 && text[32] == ' ' && text[33] != 0 ? text + 33 : NULL;
}

int sluice_standing_allows_sight(int process) {
  char path[32] = "/proc/0000000000/exe", target;  // leading zeros are taken away
  char *start = path + 16;
  for (; process > 0; process /= 10) *--start = (char)('0' + process % 10);
  start = memcpy(start - 6, "/proc/", 6);
  return readlink(start, &target, 1) >= 0;
}

// Runs in a child with a copy of the caller's file-system state (no CLONE_FS), so that no thread
// makes a file under another umask meanwhile.
static int take_umask(void *context) {
  *(uint32_t *)context = (uint32_t)syscall(SYS_umask, 077);
  _exit(0);
}

uint32_t sluice_umask(void) {
  // If no way is found: no permissions for others.
  uint32_t mask = 077;
  char text[1024];
  int fd = open("/proc/thread-self/status", O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    // "Umask:" is the second line, after the name (Linux 4.7).
    int64_t count = SLUICE_RETRY(read(fd, text, sizeof text - 1));
    close(fd);
    text[count > 0 ? count : 0] = 0;
    const char *line = strstr(text, "\nUmask:\t");
    if (line != NULL) return (uint32_t)strtoul(line + 8, NULL, 8) & 0777;
  }
  sluice_run_beside(take_umask, &mask);
  return mask & 0777;
}

uint32_t sluice_set_umask(uint32_t mask) { return (uint32_t)umask((mode_t)mask); }

int64_t sluice_file_size_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur > INT64_MAX) return INT64_MAX;
  return (int64_t)limit.rlim_cur;
}

void sluice_raise_file_size_limit(void) {
  struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
  if (setrlimit(RLIMIT_FSIZE, &limit) == 0 || getrlimit(RLIMIT_FSIZE, &limit) < 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_FSIZE, &limit);
}

void sluice_raise_file_size_signal(void) {
  syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGXFSZ);
}

int sluice_keep_capabilities(uint64_t kept) {
  struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct sets[2] = {{0}};
  if (syscall(SYS_capget, &head, sets) < 0) return -errno;
  for (int half = 0; half < 2; half++) {
    uint32_t mask = (uint32_t)(kept >> (32 * half));
    sets[half].permitted &= mask;
    sets[half].effective &= mask;
    sets[half].inheritable &= mask;
  }
  return syscall(SYS_capset, &head, sets) < 0 ? -errno : 0;
}
