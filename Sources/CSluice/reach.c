// The kernel and ld.so decide which program a library is preloaded into. This file says the same in
// advance, by the calls that are allowed in a vfork child: it allocates nothing and takes
// no lock.
#include <elf.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "CSluice.h"

// Nothing here is hot, and libsluice.so must stay small.
#pragma clang attribute push(__attribute__((minsize)), apply_to = function)

#if UINTPTR_MAX == UINT64_MAX
typedef Elf64_Ehdr elf_head;
typedef Elf64_Phdr elf_segment;
enum { elf_class = ELFCLASS64 };
#else
#error "64-bit only"
#endif

#if defined(__x86_64__)
enum { elf_machine = EM_X86_64 };
#elif defined(__aarch64__)
enum { elf_machine = EM_AARCH64 };
#else
#error "which machine?"
#endif

enum { head_byte_count = 1024, script_depth_max = 5 };

const char *sluice_reach_link(int fd, char link[SLUICE_LINK_BYTE_COUNT]) {
  snprintf(link, SLUICE_LINK_BYTE_COUNT, "/proc/self/fd/%d", fd);
  return link;
}

// Not counted: rights that a program has by being root's own.
static int gains_rights(int fd, const struct stat *status) {
  uid_t user = geteuid();
  gid_t group = getegid();
  struct statfs system;
  int may_gain = fstatfs(fd, &system) == 0 && !(system.f_flags & 2 /* ST_NOSUID */) &&
                 prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0;
  if (may_gain && status->st_mode & S_ISUID) user = status->st_uid;
  if (may_gain && (status->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
    group = status->st_gid;
  if (user != getuid() || group != getgid()) return 1;
  char link[SLUICE_LINK_BYTE_COUNT];
  return may_gain && user != 0 && getxattr(sluice_reach_link(fd, link), "security.capability", NULL, 0) > 0;
}

// Of a dynamic program: its interpreter loads what LD_PRELOAD names, if it is glibc's.
static int is_glibc(const char *interpreter) {
  const char *name = strrchr(interpreter, '/');
  return strncmp(name ? name + 1 : interpreter, "ld-linux", 8) == 0;
}

static int elf_obstacle(int fd, char *room) {
  elf_head head;
  memcpy(&head, room, sizeof head);
  if (head.e_ident[EI_CLASS] != elf_class || head.e_machine != elf_machine)
    return SLUICE_TOLD_MACHINE;
  ssize_t read = pread(fd, room, head_byte_count, (off_t)head.e_phoff);
  for (int i = 0; i < head.e_phnum && (i + 1) * (ssize_t)sizeof(elf_segment) <= read; i++) {
    elf_segment segment;
    memcpy(&segment, room + i * sizeof segment, sizeof segment);
    if (segment.p_type != PT_INTERP) continue;
    read = pread(fd, room, head_byte_count - 1, (off_t)segment.p_offset);
    room[read > 0 ? read : 0] = 0;
    return is_glibc(room) ? SLUICE_TOLD_NOTHING : SLUICE_TOLD_C_LIBRARY;
  }
  return SLUICE_TOLD_STATIC;
}

// The interpreter that a script's first line names; NULL if there is none.
static char *interpreter_of(char *script) {
  char *start = script + 2;
  start += strspn(start, " \t");
  start[strcspn(start, " \t\n")] = 0;
  return *start ? start : NULL;
}

// Opens the file only if it is a regular one. A program that may be executed and not read is opened
// as a path.
static int open_program(int directory, const char *path, struct stat *status) {
  int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  if (fstatat(directory, path, status, 0) < 0 || !S_ISREG(status->st_mode)) return -1;
  int fd = openat(directory, path, flags | O_RDONLY);
  if (fd < 0) fd = openat(directory, path, flags | O_PATH);
  if (fd >= 0 && fstat(fd, status) < 0) {
    close(fd);
    return -1;
  }
  return fd;
}

static int obstacle(int directory, const char *path, const char *library, int *program) {
  char room[head_byte_count];
  for (int depth = 0; depth < script_depth_max && path; depth++) {
    struct stat status;
    int fd = open_program(directory, path, &status), kind = SLUICE_TOLD_NOTHING;
    if (fd < 0) break;
    path = NULL;
    memset(room, 0, sizeof room);
    ssize_t read = pread(fd, room, sizeof room - 1, 0);
    if (read > 2 && room[0] == '#' && room[1] == '!') {
      path = interpreter_of(room);
    } else if (gains_rights(fd, &status)) {
      kind = SLUICE_TOLD_RIGHTS;
    } else if (read >= (ssize_t)sizeof(elf_head) && memcmp(room, ELFMAG, SELFMAG) == 0) {
      kind = elf_obstacle(fd, room);
      if (!kind && faccessat(AT_FDCWD, library, R_OK, AT_EACCESS) < 0)
        kind = SLUICE_TOLD_NO_LIBRARY;
    }
    if (kind) {
      *program = fd;
      return kind;
    }
    close(fd);
  }
  return SLUICE_TOLD_NOTHING;
}

int sluice_reach_obstacle(int directory, const char *path, const char *library, int *program) {
  int before = errno;
  *program = -1;
  int kind = obstacle(directory, path, library, program);
  errno = before;
  return kind;
}

const char *sluice_reach_search(const char *name, char *room, size_t byte_count) {
  const char *places = getenv("PATH"), *end;
  if (strchr(name, '/')) return name;
  if (!places) places = "/bin:/usr/bin";
  int before = errno;
  for (;; places = end + 1) {
    end = places + strcspn(places, ":");
    // An empty place is the working directory.
    int length = snprintf(room, byte_count, "%.*s%s%s", (int)(end - places), places,
                          end == places ? "" : "/", name);
    struct stat status;
    if (length < (int)byte_count && faccessat(AT_FDCWD, room, X_OK, AT_EACCESS) == 0 &&
        stat(room, &status) == 0 && S_ISREG(status.st_mode))
      break;
    room[0] = 0;
    if (!*end) break;
  }
  errno = before;
  return room;
}

static socklen_t address_named(const char *name, size_t length, struct sockaddr_un *address) {
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  if (length > sizeof address->sun_path - 1) length = sizeof address->sun_path - 1;
  memcpy(address->sun_path + 1, name, length);
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
}

void sluice_reach_tell(const char *watcher, int kind, int process, const char *name,
                       const char *database, const char *library, int program) {
  const char *token = strchr(watcher, ' ');
  if (!token) return;
  int before = errno;
  struct sockaddr_un address;
  socklen_t byte_count = address_named(watcher, (size_t)(token - watcher), &address);
  char letter[2] = {(char)kind, 0}, number[16];
  snprintf(number, sizeof number, "%d", process);
  const char *fields[] = {SLUICE_TOLD_VERSION, token + 1, letter, number,
                          name,                database,  library};
  struct iovec parts[SLUICE_TOLD_FIELD_COUNT];
  for (int i = 0; i < SLUICE_TOLD_FIELD_COUNT; i++)
    parts[i] = (struct iovec){(void *)fields[i], strlen(fields[i]) + 1};
  struct msghdr message = {.msg_name = &address,
                           .msg_namelen = byte_count,
                           .msg_iov = parts,
                           .msg_iovlen = SLUICE_TOLD_FIELD_COUNT};
  union {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(sizeof program)];
  } control = {.head = {CMSG_LEN(sizeof program), SOL_SOCKET, SCM_RIGHTS}};
  if (program >= 0) {
    memcpy(CMSG_DATA(&control.head), &program, sizeof program);
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
  }
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd >= 0) {
    // The queue has as few as ten places.
    struct timeval patience = {0, 20000};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    sendmsg(fd, &message, MSG_NOSIGNAL);
    close(fd);
  }
  errno = before;
}

#pragma clang attribute pop
