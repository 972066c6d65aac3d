// What the command was started with, as the C library handed it to this program. Swift's own
// CommandLine reads /proc/self/cmdline, which need not be there, and repairs what is not UTF-8.
#pragma once
#include "sluice_probes.h"

// How many words there are, the program's name included.
int sluice_command_word_count(void);
// A word, zero-terminated, for as long as the program runs.
const char *sluice_command_word(int index);
// The path by which this program was executed, perhaps relative to where it worked then; NULL where
// the kernel does not tell.
const char *sluice_command_executed_path(void);
