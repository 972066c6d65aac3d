// Everything that Swift needs from C: the layout of shared memory, the system calls, and features
// that Swift does not have (thread-local storage, the spin hint). Embedded Swift cannot import
// Glibc, so the client-side targets use libc only through this module.
#pragma once
#define SLUICE_VERSION "0.1.0"
#include "sluice_confinement.h"
#include "sluice_failures.h"
#include "sluice_layout.h"
#include "sluice_process.h"
#include "sluice_reach.h"
#include "sluice_sandbox.h"
#include "sluice_sql.h"
#include "sluice_standing.h"
#include "sluice_syscalls.h"
#include "sluice_thread.h"
