// Where failures go beside SQLite's log: the file that SLUICE_LOG_FILE names, and standard error
// under `sluice run`. Nothing here waits, raises a signal, takes a lock or changes errno, and a
// forked child may call everything.
#pragma once
#include <stdbool.h>
#include <stddef.h>

// What failed, and why.
struct sluice_failure {
  int code;          // SQLite's
  int error_number;  // 0 where it tells nothing
  const char *operation;
  const char *path;  // not zero-terminated; none for a temporary file
  int path_byte_count;
  bool path_is_cut;  // only its end is here
  const char *reason;
  const char *parameter;  // not zero-terminated; follows the reason
  int parameter_byte_count;
  const char *nearest;  // the name that was meant, or NULL
  bool is_about_sidecar;
  const char *socket;  // of the sidecar that could not be had; NULL for a private one
  const char *remedy;  // or NULL
};
enum sluice_failure_form {
  SLUICE_FAILURE_LINE,           // for SQLite
  SLUICE_FAILURE_DETAILED_LINE,  // with the sidecar's socket or program
  SLUICE_FAILURE_LINES,          // `code`, `what`, `why`, `remedy`, one a line
};
// Writes the text and a terminating zero into `room`; bytes that do not fit are dropped.
void sluice_failures_describe(const struct sluice_failure *failure, enum sluice_failure_form form,
                              char *room, size_t byte_count);

// Reads SLUICE_LOG_FILE, once. A relative name means the present working directory. A file that
// cannot be written is named on standard error.
void sluice_failures_prepare(void);
// Appends one line to the file of SLUICE_LOG_FILE: time, process, `text` (a detailed line), `code`
// and `remedy`, which may be NULL. Does nothing without such a file.
void sluice_failures_log(int code, const char *text, const char *remedy);
// Writes a detailed line to standard error if SLUICE_TELL asks for it, and no process of the same
// `sluice run` has done so before.
void sluice_failures_tell(const char *text, const char *remedy);
// Writes `text` as one line to standard error.
void sluice_failures_say(const char *text);
// Opens the descriptor by which the processes of this command's tree agree on who tells, and
// inherit it. `value` becomes the value of SLUICE_TELL. 0 or -errno.
int sluice_failures_open_token(char *value, size_t byte_count);
