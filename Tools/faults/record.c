// The record of everything that changes the disk below one directory. See layer.h.
//
// The thread holds one lock during each call and its record, so that the record is in an order in which
// the calls may have happened. A sync has two records, one before its call and one after it, and the lock
// is free between them. Each record is one write to a file opened for appending, so that other processes
// of the workload can put their records between.

#include "layer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

int records;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int record_fd = -1;
static char root[4096];
static size_t root_byte_count;
static uint32_t sync_count;

// The state of a descriptor below the root.
enum { DESCRIPTOR_COUNT = 65536 };
static struct watched {
  uint64_t file;
  char is_watched, is_directory;
} watched[DESCRIPTOR_COUNT];

static void give_up(const char *what) {
  fprintf(stderr, "sluice: faults: %s: %s\n", what, strerror(errno));
  abort();
}

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("SLUICE_FAULTS_RECORD");
  const char *below = getenv("SLUICE_FAULTS_ROOT");
  if (!path || !below) return;
  if (!realpath(below, root)) give_up(below);
  root_byte_count = strlen(root);
  record_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (record_fd < 0) give_up(path);
  records = 1;
}

void record_begin(void) { pthread_mutex_lock(&lock); }

void record_end(void) {
  int error = errno;
  pthread_mutex_unlock(&lock);
  errno = error;
}

static void lock_names(short type) {
  struct flock range = {.l_type = type, .l_whence = SEEK_SET, .l_len = 1};
  int error = errno;
  while (fcntl(record_fd, F_SETLKW, &range) < 0)
    if (errno != EINTR) give_up("the record cannot be locked");
  errno = error;
}

void record_begin_name(void) {
  record_begin();
  lock_names(F_WRLCK);
}

void record_end_name(void) {
  lock_names(F_UNLCK);
  record_end();
}

// Writes one record, and keeps errno as the call left it.
static void put(enum record_kind kind, uint64_t file, int64_t offset, const char *name,
                const void *data, size_t data_byte_count) {
  int error = errno;
  struct record record = {.kind = kind,
                          .name_byte_count = name ? (uint32_t)strlen(name) : 0,
                          .data_byte_count = (uint32_t)data_byte_count,
                          .file = file,
                          .offset = offset};
  struct iovec parts[3] = {{&record, sizeof record},
                           {(void *)name, record.name_byte_count},
                           {(void *)data, data_byte_count}};
  ssize_t all = (ssize_t)(sizeof record + record.name_byte_count + data_byte_count);
  if (writev(record_fd, parts, 3) != all) give_up("the record cannot be written");
  errno = error;
}

// The part of `path` below the root, or NULL; "" is the root itself.
static const char *below_root(const char *path) {
  if (strncmp(path, root, root_byte_count) != 0) return NULL;
  if (path[root_byte_count] == 0) return "";
  return path[root_byte_count] == '/' ? path + root_byte_count + 1 : NULL;
}

static int path_of(int fd, char path[4096]) {
  char link[32];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, 4095);
  if (n < 0) return 0;
  path[n] = 0;
  return 1;
}

int record_path(int directory, const char *name, char path[4096]) {
  char whole[8192];
  if (name[0] == '/') {
    snprintf(whole, sizeof whole, "%s", name);
  } else {
    char start[4096];
    if (directory == AT_FDCWD ? !getcwd(start, sizeof start) : !path_of(directory, start)) return 0;
    snprintf(whole, sizeof whole, "%s/%s", start, name);
  }
  const char *below = below_root(whole);
  if (!below || strlen(below) >= 4096) return 0;
  strcpy(path, below);
  return 1;
}

void record_opened(int fd, int created) {
  int error = errno;
  char path[4096];
  struct stat status;
  if (fd < 0 || fd >= DESCRIPTOR_COUNT || !path_of(fd, path) || fstat(fd, &status) < 0) return;
  const char *below = below_root(path);
  // A file without a name is gone after a power cut, so its content does not matter.
  int has_name = status.st_nlink > 0;
  int is_directory = S_ISDIR(status.st_mode);
  watched[fd] = (struct watched){.file = status.st_ino,
                                 .is_watched = below && has_name &&
                                               (is_directory || S_ISREG(status.st_mode)),
                                 .is_directory = (char)is_directory};
  if (created && watched[fd].is_watched) put(RECORD_CREATE, status.st_ino, 0, below, NULL, 0);
  errno = error;
}

void record_closed(int fd) {
  if (fd >= 0 && fd < DESCRIPTOR_COUNT) watched[fd].is_watched = 0;
}

static const struct watched *file_of(int fd) {
  return fd >= 0 && fd < DESCRIPTOR_COUNT && watched[fd].is_watched ? &watched[fd] : NULL;
}

void record_write(int fd, const void *data, size_t byte_count, int64_t offset) {
  const struct watched *w = file_of(fd);
  if (w) put(RECORD_WRITE, w->file, offset, NULL, data, byte_count);
}

void record_size(int fd, enum record_kind kind, int64_t byte_count) {
  const struct watched *w = file_of(fd);
  if (w) put(kind, w->file, byte_count, NULL, NULL, 0);
}

int64_t record_sync_begun(int fd) {
  const struct watched *w = file_of(fd);
  if (!w) return 0;
  int64_t number = (int64_t)getpid() << 32 | ++sync_count;
  put(RECORD_SYNC_BEGUN, w->file, number, NULL, &fd, sizeof fd);
  return number;
}

void record_sync(int fd, int64_t number, int succeeded) {
  const struct watched *w = file_of(fd);
  if (!w || number == 0) return;
  char path[4096];
  if (!succeeded) {
    put(RECORD_SYNC_FAILED, w->file, number, NULL, NULL, 0);
  } else if (!w->is_directory) {
    put(RECORD_SYNC, w->file, number, NULL, NULL, 0);
  } else if (path_of(fd, path) && below_root(path)) {
    put(RECORD_SYNC_DIRECTORY, w->file, number, below_root(path), NULL, 0);
  }
}

void record_unlink(const char *path) { put(RECORD_UNLINK, 0, 0, path, NULL, 0); }
