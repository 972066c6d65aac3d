// The processes around a command that runs as a child (CommandProcess.swift): their signals, and
// the state of the child.
#pragma once

// Blocks every signal of this process and gives SIGCHLD its default handling. Returns a descriptor
// from which all signals are read, or -errno.
int sluice_signals_hold(void);
// Undoes sluice_signals_hold, in this process or in a child of it.
void sluice_signals_release(void);
// Reads one signal: 1, with its number and the process that sent it (0: the kernel), or 0 if there
// is none.
int sluice_signals_next(int descriptor, int *number, int *sender);

// fork(2). Only for a process with one thread.
int sluice_fork(void);
// This process dies when `parent` does, from which it was forked.
void sluice_die_with(int parent);
// From now on a process that descends from this one becomes its child when its own parent ends.
// Returns 0, or -1 with errno.
int sluice_adopt_orphans(void);
// Sends `number` to a child that was not reaped yet.
void sluice_signal_child(int child, int number);

enum { sluice_child_runs, sluice_child_exited, sluice_child_killed, sluice_child_stopped };
// The present state of a child that was not reaped yet, with its exit code or signal. Leaves the
// state as it is.
int sluice_child_state(int child, int *value);
// Reaps all children that have ended.
void sluice_children_reap(void);

// Stops this process as `number` does by default, until it is continued. All signals are blocked
// before and after.
void sluice_stop_by(int number);
// Ends this process as `number` does by default, without a core dump of its own.
_Noreturn void sluice_end_by(int number);

// Lets go of everything that the command inherits, except standard error: standard input and output
// become /dev/null, and descriptors without FD_CLOEXEC are closed.
void sluice_release_inherited(void);
// The same of standard error.
void sluice_release_standard_error(void);
// The name that ps shows.
void sluice_name_process(const char *name);
// Leaves the session and its terminal.
void sluice_leave_session(void);
