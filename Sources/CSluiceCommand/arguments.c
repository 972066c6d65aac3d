#include <sys/auxv.h>

#include "CSluiceCommand.h"

static int word_count;
static char **words;

// glibc calls initializers with the arguments of main().
static void keep(int count, char **arguments, char **environment) {
  (void)environment;
  word_count = count;
  words = arguments;
}

__attribute__((section(".init_array"), used)) static void (*const keep_at_start)(int, char **,
                                                                               char **) = keep;

int sluice_command_word_count(void) { return word_count; }

const char *sluice_command_word(int index) { return words[index]; }

const char *sluice_command_executed_path(void) { return (const char *)getauxval(AT_EXECFN); }
