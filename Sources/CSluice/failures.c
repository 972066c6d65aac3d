// The file of SLUICE_LOG_FILE is opened for each line and closed after it. Failures are rare, and a
// descriptor that stays open can become another file's: a program may close all descriptors that it
// does not know, and its next open gets the number. So nothing has to be checked after a fork
// either. A program that loses its rights to the file, or changes its root, loses its lines.
//
// Bounds: a line has at most 1,200 bytes; a process writes 20 lines at once, then one a second, and
// says how many it left out; a file of 16 MiB or more gets no line.
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

#include "CSluice.h"

// Nothing here is hot, and libsluice.so must stay small.
#pragma clang attribute push(__attribute__((minsize)), apply_to = function)

enum {
  line_byte_count_max = 1200,
  burst_line_count = 20,
  file_byte_count_max = 16 << 20,
  path_byte_count_max = 4096,
};

// --- Texts --------------------------------------------------------------------------------------

static const char head[] = "sluice: ";

void sluice_failures_describe(const struct sluice_failure *f, enum sluice_failure_form form,
                              char *room, size_t byte_count) {
  int has_name = f->path_byte_count > 0, is_plain = form == SLUICE_FAILURE_LINE;
  // A parameter tells more than the error's text.
  int error_number = f->parameter_byte_count ? 0 : f->error_number;
  const char *sidecar = f->socket, *origin = "socket=";
  if (f->is_about_sidecar && !sidecar) {
    sidecar = getenv("SLUICE_SIDECAR");
    origin = "SLUICE_SIDECAR=";
  } else if (sidecar) {
    const char *named = getenv("SLUICE_SOCKET");
    if (named && strcmp(named, sidecar) == 0) origin = "SLUICE_SOCKET=";
  }
  if (is_plain || !sidecar || !*sidecar) sidecar = NULL;
  char code[32] = "";
  int is_lines = form == SLUICE_FAILURE_LINES;
  if (is_lines) snprintf(code, sizeof code, "code: %d\nwhat: ", f->code);
  snprintf(room, byte_count, "%s%s %s%.*s%s%s%s%.*s%s%s%s%s%s%s%s%s%s%s",
           is_lines ? code : head, f->operation, f->path_is_cut ? "…" : "",
           has_name ? f->path_byte_count : 16, has_name ? f->path : "a temporary file",
           is_lines ? "\nwhy: " : ": ", f->reason,
           f->parameter_byte_count ? " " : "", f->parameter_byte_count,
           f->parameter ? f->parameter : "",
           f->nearest ? "; did you mean " : "", f->nearest ? f->nearest : "",
           f->nearest ? "?" : error_number ? ": " : "",
           error_number ? sluice_errno_text(error_number) : "",
           sidecar ? " (" : "", sidecar ? origin : "", sidecar ? sidecar : "", sidecar ? ")" : "",
           is_lines ? "\nremedy: " : "",
           !is_lines ? "" : f->remedy ? f->remedy : "see the reason");
}

// --- Lines --------------------------------------------------------------------------------------

// Writes the line, and a newline instead of what does not fit. A full pipe gets nothing, because
// the program must not wait for its reader. The signals of a broken pipe and of a file-size limit
// do not reach the program.
static void write_line(int fd, char *line, int length) {
  if (length < 0) return;
  if (length > line_byte_count_max - 2) length = line_byte_count_max - 2;
  for (int i = 0; i < length; i++)
    if ((unsigned char)line[i] < ' ' || line[i] == 127) line[i] = '?';
  line[length++] = '\n';
  struct pollfd room = {.fd = fd, .events = POLLOUT};
  if (poll(&room, 1, 0) != 1 || !(room.revents & POLLOUT)) return;
  sigset_t quiet, before, pending;
  sigemptyset(&quiet);
  sigaddset(&quiet, SIGPIPE);
  sigaddset(&quiet, SIGXFSZ);
  if (pthread_sigmask(SIG_BLOCK, &quiet, &before) != 0) return;
  sigpending(&pending);
  ssize_t written = write(fd, line, (size_t)length);
  if (written < 0) {
    struct timespec none = {0, 0};
    if (sigismember(&pending, SIGPIPE)) sigdelset(&quiet, SIGPIPE);
    if (sigismember(&pending, SIGXFSZ)) sigdelset(&quiet, SIGXFSZ);
    sigtimedwait(&quiet, NULL, &none);
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

__attribute__((format(printf, 2, 3))) static void write_formatted(int fd, const char *format, ...) {
  char line[line_byte_count_max];
  int before = errno;
  va_list values;
  va_start(values, format);
  write_line(fd, line, vsnprintf(line, sizeof line, format, values));
  va_end(values);
  errno = before;
}

void sluice_failures_say(const char *text) { write_formatted(2, "%s", text); }

// --- The log's file -----------------------------------------------------------------------------

// Absolute; NULL without SLUICE_LOG_FILE, "stderr" for standard error.
static char *_Atomic log_path;
static atomic_int is_prepared;

static int opens_standard_error(const char *path) { return strcmp(path, "stderr") == 0; }

static int open_log(const char *path) {
  int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  int fd = (int)SLUICE_RETRY(open(path, flags, 0600));
  return fd < 0 || fd > 2 ? fd : sluice_descriptor_raise(fd);
}

void sluice_failures_prepare(void) {
  if (atomic_exchange(&is_prepared, 1)) return;
  const char *level = getenv("SLUICE_LOG"), *named = getenv("SLUICE_LOG_FILE");
  if (level && *level && (*level < '0' || *level > '2' || level[1]))
    write_formatted(2, "sluice: SLUICE_LOG takes 0, 1 or 2; %s is taken as 1", level);
  if (!named || !*named) return;
  char path[path_byte_count_max] = "";
  if (*named != '/' && !opens_standard_error(named)) {
    if (!getcwd(path, sizeof path - 1)) path[0] = 0;
    strcat(path, "/");
  }
  size_t length = strlen(path);
  int before = errno, fd = -ENAMETOOLONG;
  if (length + strlen(named) < sizeof path) {
    strcpy(path + length, named);
    fd = opens_standard_error(path) ? 2 : open_log(path);
  }
  if (fd > 2) close(fd);
  if (fd >= 0) atomic_store(&log_path, strdup(path));
  else write_formatted(2, "sluice: SLUICE_LOG_FILE: %s: %s", named, sluice_errno_text(-fd));
  errno = before;
}

// Whether this line may be written: burst_line_count at once, then one a second.
static int has_room(void) {
  static _Atomic int64_t next;
  const int64_t second = 1000000000;
  int64_t now = sluice_monotonic_ns(), before = atomic_load(&next), from;
  do {
    from = before > now ? before : now;
    if (from - now > (burst_line_count - 1) * second) return 0;
  } while (!atomic_compare_exchange_weak(&next, &before, from + second));
  return 1;
}

void sluice_failures_log(int code, const char *text, const char *remedy) {
  static atomic_int left_out;
  const char *path = atomic_load(&log_path);
  if (!path) return;
  if (!has_room()) {
    atomic_fetch_add(&left_out, 1);
    return;
  }
  int before = errno;
  int fd = opens_standard_error(path) ? 2 : open_log(path);
  struct stat status;
  int is_full = fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
                status.st_size >= file_byte_count_max;
  if (fd >= 0 && !is_full) {
    // Without gmtime_r, which takes a lock that a fork may leave held. Days are counted from
    // 0000-03-01, so that a leap day ends its year.
    int64_t ms = sluice_realtime_ms(), day = ms / 86400000 + 719468;
    int64_t era = day / 146097, of_era = day % 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    int number = (int)(month < 10 ? month + 3 : month - 9);
    int second = (int)(ms / 1000 % 86400), missing = atomic_exchange(&left_out, 0);
    char more[64] = "";
    if (missing) snprintf(more, sizeof more, " [%d lines before this were left out]", missing);
    write_formatted(fd,
                    "sluice: %04d-%02d-%02dT%02d:%02d:%02d.%03dZ process %d: %s (code %d)%s%s%s",
                    (int)(year + era * 400 + (number <= 2)), number,
                    (int)(of_year - (153 * month + 2) / 5 + 1), second / 3600, second / 60 % 60,
                    second % 60, (int)(ms % 1000), (int)getpid(), text + sizeof head - 1, code,
                    remedy ? "; " : "", remedy ? remedy : "", more);
  }
  if (fd > 2) close(fd);
  errno = before;
}

// --- One line for all of `sluice run` -----------------------------------------------------------

// The processes of one `sluice run` share an empty memfd. The first of them that seals it tells. A
// process that has closed its descriptor finds the command's in /proc. If it finds neither, it
// tells for itself, once.
static int seal_token(int fd, unsigned long device, unsigned long inode) {
  struct stat status;
  if (fd < 0 || fstat(fd, &status) < 0 || status.st_dev != device || status.st_ino != inode)
    return -1;
  return fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SEAL) == 0;
}

// 1 if this process is to tell, 0 if another one has told.
static int take_token(const char *value) {
  int process, number, fd, result;
  unsigned long device, inode;
  if (sscanf(value, "%d:%d:%lu:%lu", &process, &number, &device, &inode) != 4) return 0;
  result = seal_token(number, device, inode);
  if (result >= 0) return result;
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/fd/%d", process, number);
  // Another program may have that number by now: look, before it is opened for writing.
  struct stat status;
  if (stat(path, &status) < 0 || status.st_dev != device || status.st_ino != inode) return 1;
  fd = (int)SLUICE_RETRY(open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  result = seal_token(fd, device, inode);
  if (fd >= 0) close(fd);
  return result != 0;
}

void sluice_failures_tell(const char *text, const char *remedy) {
  static atomic_int has_told;
  const char *value = getenv("SLUICE_TELL"), *path = atomic_load(&log_path);
  if (!value || !*value || (path && opens_standard_error(path))) return;
  if (atomic_exchange(&has_told, 1)) return;
  int before = errno;
  if (take_token(value))
    write_formatted(2, "%s%s%s (only the first failure is told; SLUICE_LOG_FILE=stderr "
                    "shows all)", text, remedy ? "; " : "", remedy ? remedy : "");
  errno = before;
}

int sluice_failures_open_token(char *value, size_t byte_count) {
  int fd = memfd_create("sluice-told", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return -errno;
  fd = sluice_descriptor_raise(fd);
  struct stat status;
  if (fstat(fd, &status) < 0 || fcntl(fd, F_SETFD, 0) < 0) {
    int result = -errno;
    close(fd);
    return result;
  }
  snprintf(value, byte_count, "%d:%d:%lu:%lu", (int)getpid(), fd, (unsigned long)status.st_dev,
           (unsigned long)status.st_ino);
  return 0;
}

#pragma clang attribute pop
