// A module that is loaded with RTLD_DEEPBIND, as PHP loads all of its modules, finds the functions
// of the libraries that it needs before those of this library. So pdo_sqlite.so would call
// libsqlite3 itself, and its databases would be opened without Sluice. This dlopen() takes the flag
// away where the module names libsqlite3, and leaves all other calls as they are.
//
// - The alternative, to preload libsqlite3 behind this library, would put one libsqlite3 into every
//   program, in the place of the one that a program's own RPATH names.
// - Without the flag such a module finds the program's own functions before those of its other
//   libraries, as it would if the program were linked with them. PHP is used so with sanitizers.
// - dlopen() looks at its caller: at its RPATH, and at the namespace that it is in. So the call is
//   passed on by a jump, and the caller stays the caller.
// - dlmopen() and what is loaded by it into another namespace, with another C library, is not
//   reached, because nothing is preloaded there. Neither is a module that needs SQLite only by way
//   of another library, or has it within itself.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const char library[] = "libsqlite3.so";
enum { overlap = sizeof library - 2, part_byte_count = 1 << 14 };

// Whether the file has the library's name in it, as the name of a library that it needs. A file
// that cannot be read does not.
static int names_library(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char part[overlap + part_byte_count];
  size_t kept = 0;
  int found = 0;
  while (!found) {
    ssize_t count = read(fd, part + kept, part_byte_count);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    size_t held = kept + (size_t)count;
    found = memmem(part, held, library, sizeof library - 1) != NULL;
    kept = held < overlap ? held : overlap;
    memmove(part, part + held - kept, kept);
  }
  close(fd);
  return found;
}

static int is_for_sqlite(const char *name) {
  if (strstr(name, library)) return 1;
  // A name without a slash is looked for in many places, and means none of this program's files.
  return strchr(name, '/') && names_library(name);
}

typedef void *open_library(const char *, int);

__attribute__((visibility("default"))) void *dlopen(const char *name, int flags) {
  open_library *real = (open_library *)dlsym(RTLD_NEXT, "dlopen");
  if (!real) return NULL;
  if (flags & RTLD_DEEPBIND && name && is_for_sqlite(name)) flags &= ~RTLD_DEEPBIND;
  __attribute__((musttail)) return real(name, flags);
}
