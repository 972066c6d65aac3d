#include "sluice_pinning.h"

#include <sched.h>

static cpu_set_t before;

int sluice_pin(void) {
  if (sched_getaffinity(0, sizeof before, &before) != 0) return -1;
  int first = 0;
  while (!CPU_ISSET(first, &before)) first++;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  return sched_setaffinity(0, sizeof one, &one);
}

void sluice_unpin(void) { sched_setaffinity(0, sizeof before, &before); }
