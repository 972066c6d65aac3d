// The names of the parameters in a database's URI. A name that is nearly one of ours is an error,
// because the parameter would silently mean nothing: with `sokcet=` a program would use another
// sidecar than it says. SQLite's own names, and names that are like none of ours, are ignored as
// SQLite ignores them: other VFSs and extensions have parameters too.
//
// And the words that a parameter, or SLUICE_DEFAULT, takes for yes and no.
#include <string.h>
#include <strings.h>

#include "CSQLite.h"

SQLITE_EXTENSION_INIT3

// Nothing here is hot, and libsluice.so must stay small.
#pragma clang attribute push(__attribute__((minsize)), apply_to = function)

// The names that URIParameters reads.
static const char our_names[][20] = {
    "socket", "connect-timeout", "delete-before-open", "implicit-locks", "unlock-asap", "wait",
    "readonly_shm", "psow", "posted-writes", "read-window", "owned-knowledge", "standing-locks",
    "group-commit",
};
// SQLite's own, and those of its encrypting builds.
static const char their_names[][12] = {
    "vfs", "mode", "cache", "nolock", "immutable", "modeof", "key", "hexkey", "textkey", "salt",
};

enum {
  our_count = sizeof our_names / sizeof our_names[0],
  their_count = sizeof their_names / sizeof their_names[0],
  name_byte_count_max = 24,
};

const char *csqlite_parameter_name(int index) { return our_names[index]; }

static int least(int a, int b) { return a < b ? a : b; }

// How many slips make one name of the other. A slip is a byte too much, too few or wrong, or two in
// the wrong order.
static int slips(const char *name, int name_count, const char *ours, int our_byte_count) {
  int rows[3][name_byte_count_max + 1];
  for (int column = 0; column <= our_byte_count; column++) rows[0][column] = column;
  for (int row = 1; row <= name_count; row++) {
    int *this = rows[row % 3], *last = rows[(row + 2) % 3], *before = rows[(row + 1) % 3];
    this[0] = row;
    for (int column = 1; column <= our_byte_count; column++) {
      int differs = name[row - 1] != ours[column - 1];
      this[column] = least(least(last[column], this[column - 1]) + 1, last[column - 1] + differs);
      if (row > 1 && column > 1 && name[row - 1] == ours[column - 2] &&
          name[row - 2] == ours[column - 1])
        this[column] = least(this[column], before[column - 2] + 1);
    }
  }
  return rows[name_count % 3][our_byte_count];
}

// The index of the name of ours that is nearly `name`; -1 if `name` is ours, SQLite's or like none.
static int nearest_name(const char *name) {
  int count = (int)strnlen(name, name_byte_count_max + 1), nearest = -1, fewest = 3;
  if (count > name_byte_count_max) return -1;
  for (int i = 0; i < their_count; i++)
    if (strcmp(name, their_names[i]) == 0) return -1;
  for (int i = 0; i < our_count; i++) {
    int our_byte_count = (int)strlen(our_names[i]);
    int found = slips(name, count, our_names[i], our_byte_count);
    if (found == 0) return -1;
    // Two slips make too many other words of a short one.
    if (found < fewest && (found == 1 || our_byte_count > 4)) {
      fewest = found;
      nearest = i;
    }
  }
  return nearest;
}

int csqlite_boolean(const char *text) {
  static const char words[8][6] = {"0", "1", "no", "yes", "false", "true", "off", "on"};
  for (int i = 0; i < 8; i++)
    if (strcasecmp(text, words[i]) == 0) return i & 1;
  return -1;
}

const char *csqlite_misspelt_parameter(const char *filename, int *nearest) {
  // A preloaded library may have found no such function.
  if (!sqlite3_api->uri_key) return NULL;
  const char *name;
  for (int i = 0; (name = sqlite3_uri_key(filename, i)); i++)
    if ((*nearest = nearest_name(name)) >= 0) return name;
  return NULL;
}

#pragma clang attribute pop
