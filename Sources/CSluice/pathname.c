// The full name of a file as this process's kernel sees it, as SQLite's own VFS finds it. Neither
// the file nor its directory need exist.
#include <limits.h>

#include "CSluice.h"

// libsluice.so must stay small.
#pragma clang attribute push(__attribute__((minsize)), apply_to = function)

enum { link_count_max = 40 };

// Makes the absolute path plain in its text: without empty, `.` and `..` components.
static void make_plain(char *path) {
  char *end = path;
  for (const char *next = path; *next;) {
    while (*next == '/') next++;
    size_t count = strcspn(next, "/");
    if (count == 2 && next[0] == '.' && next[1] == '.') {
      while (end > path && *--end != '/') {}
    } else if (count > 0 && !(count == 1 && *next == '.')) {
      *end++ = '/';
      memmove(end, next, count);
      end += count;
    }
    next += count;
  }
  if (end == path) *end++ = '/';
  *end = 0;
}

// Writes `name` behind `directory`, and returns 0 if there is no room.
static int join(char *out, const char *directory, const char *name) {
  const char *slash = directory[strlen(directory) - 1] == '/' ? "" : "/";
  return snprintf(out, PATH_MAX, "%s%s%s", directory, slash, name) < PATH_MAX;
}

static int find(char path[PATH_MAX]) {
  char other[PATH_MAX], target[PATH_MAX];
  for (int count = 0; count < link_count_max; count++) {
    if (realpath(path, other)) {
      strcpy(path, other);
      return 0;
    }
    char *name = strrchr(path, '/') + 1, first = *name;
    int has_name = *name && strcmp(name, ".") && strcmp(name, "..");
    *name = 0;
    int is_there = has_name && realpath(path, other) != NULL;
    *name = first;
    if (is_there) {
      // The file is not there, or a link leads to where none is.
      strcpy(target, name);
      if (!join(path, other, target)) return -ENAMETOOLONG;
      ssize_t length = readlink(path, target, PATH_MAX - 1);
      if (length < 0) return errno == ENOENT || errno == EINVAL ? 0 : -errno;
      target[length] = 0;
      if (!join(path, target[0] == '/' ? "/" : other, target)) return -ENAMETOOLONG;
    } else {
      strcpy(other, path);
      make_plain(path);
      if (strcmp(path, other) == 0) return 0;
    }
  }
  return -ELOOP;
}

int sluice_full_pathname(const char *path, char *out) {
  char start[PATH_MAX];
  if (!*path || (*path != '/' && (!getcwd(start, sizeof start) || *start != '/'))) return -ENOENT;
  if (!join(out, *path == '/' ? "/" : start, path)) return -ENAMETOOLONG;
  strcpy(start, out);
  make_plain(start);
  int result = find(out);
  return result < 0 ? result : strcmp(out, start) != 0;
}

#pragma clang attribute pop
