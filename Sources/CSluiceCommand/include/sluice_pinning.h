// The processors on which this process and those that it starts later may run. Only for a process
// with one thread.
#pragma once

// Only the first of its processors, until sluice_unpin. Returns 0, or -1 with errno.
int sluice_pin(void);
// All that it had before.
void sluice_unpin(void);
