// The command's arguments, as the C library passed them to this program. Swift's own CommandLine
// reads /proc/self/cmdline, which may be absent, and changes bytes that are not UTF-8.
#pragma once
#include "sluice_command_process.h"
#include "sluice_pinning.h"
#include "sluice_probes.h"
#include "sluice_watching.h"

// The number of words, including the program's name.
int sluice_command_word_count(void);
// A word, zero-terminated. Valid as long as the program runs.
const char *sluice_command_word(int index);
// The path by which this program was executed. It may be relative to the working directory of that
// moment. NULL if the kernel does not say.
const char *sluice_command_executed_path(void);
