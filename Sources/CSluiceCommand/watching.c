#include "sluice_watching.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

typedef int attach_to_name(int, const struct sockaddr *, socklen_t);

static int socket_with(const char *name, attach_to_name *attach) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t length = strlen(name);
  if (length > sizeof address.sun_path - 1) return -ENAMETOOLONG;
  memcpy(address.sun_path + 1, name, length);
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  socklen_t byte_count = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
  if (attach(fd, (struct sockaddr *)&address, byte_count) < 0) {
    int error = errno;
    close(fd);
    return -error;
  }
  return fd;
}

int sluice_watch_listen(const char *name) {
  int fd = socket_with(name, bind), on = 1;
  if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  return fd;
}

int sluice_watch_listens(const char *name) {
  int fd = socket_with(name, connect);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

void sluice_watch_send(const char *name, const char *text) {
  int fd = socket_with(name, connect);
  if (fd < 0) return;
  send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
  close(fd);
}

// With the zero at its end.
static const char database_header[16] = "SQLite format 3";

// Looks before it opens, because to open a FIFO or a device is an event for others.
static int open_regular(const char *path) {
  struct stat status;
  if (stat(path, &status) < 0) return -errno;
  if (!S_ISREG(status.st_mode)) return -EINVAL;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  return fd < 0 ? -errno : fd;
}

int sluice_contents(const char *path, const char *library) {
  enum { overlap = 256, part_byte_count = 1 << 18 };
  static char part[overlap + part_byte_count];
  const struct {
    const char *text;
    size_t length;
  } texts[] = {{database_header, sizeof database_header},
               {"libsqlite3.so", 13},
               {library, strlen(library)}};
  int fd = open_regular(path);
  if (fd < 0) return fd;
  int found = 0;
  size_t kept = 0;
  for (uint64_t total = 0; total < 512u << 20;) {
    ssize_t count = read(fd, part + kept, part_byte_count);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && total == 0) found = -errno;
    if (count <= 0) break;
    total += (uint64_t)count;
    size_t held = kept + (size_t)count;
    for (int i = 0; i < 3; i++)
      if (texts[i].length > 0 && texts[i].length < overlap &&
          memmem(part, held, texts[i].text, texts[i].length))
        found |= 1 << i;
    kept = held < overlap ? held : overlap;
    memmove(part, part + held - kept, kept);
  }
  close(fd);
  return found;
}

int sluice_is_database(const char *path) {
  char head[sizeof database_header];
  int fd = open_regular(path);
  if (fd < 0) return 0;
  int is_database = pread(fd, head, sizeof head, 0) == sizeof head &&
                    memcmp(head, database_header, sizeof head) == 0;
  close(fd);
  return is_database;
}

// A library that is shorter than its segments would end the program that loads it by SIGBUS.
static const char *truncation(const char *path) {
  const char *unlike = "it is no library for this machine", *result = NULL;
  Elf64_Ehdr head;
  struct stat status;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return strerror(errno);
  if (fstat(fd, &status) < 0 || pread(fd, &head, sizeof head, 0) != sizeof head ||
      memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_CLASS] != ELFCLASS64 ||
      head.e_type != ET_DYN)
    result = unlike;
  for (int i = 0; !result && i < head.e_phnum; i++) {
    Elf64_Phdr segment;
    if (pread(fd, &segment, sizeof segment, (off_t)(head.e_phoff + i * sizeof segment)) !=
        sizeof segment)
      result = "it is cut off";
    else if (segment.p_type == PT_LOAD &&
             segment.p_offset + segment.p_filesz > (uint64_t)status.st_size)
      result = "it is cut off";
  }
  close(fd);
  return result;
}

const char *sluice_preload_obstacle(const char *path, char *room, uint64_t byte_count) {
  const char *text = truncation(path);
  if (text) return text;
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    text = dlerror();
    snprintf(room, byte_count, "%s", text ? text : "it cannot be loaded");
    return room;
  }
  text = dlsym(library, "sqlite3_sluice_init") ? NULL : "it is another library than libsluice.so";
  dlclose(library);
  return text;
}
