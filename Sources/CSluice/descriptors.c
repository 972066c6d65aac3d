#include <sys/epoll.h>
#include <sys/resource.h>

#include "CSluice.h"

// Above the numbers that programs use as fixed ones, and below FD_SETSIZE, so that the table stays
// small.
enum { high_number = 900 };

int sluice_descriptor_raise(int fd) {
  struct rlimit limit;
  int lowest = high_number;
  // If the limit is low: as high as it allows, with room for a few.
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < high_number + 64)
    lowest = (int)limit.rlim_cur / 2;
  if (lowest < 3) lowest = 3;
  int high = fcntl(fd, F_DUPFD_CLOEXEC, lowest);
  if (high < 0 && fd > 2) return fd;
  if (high < 0) high = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (high < 0) return fd;
  close(fd);
  return high;
}

void sluice_descriptors_fill_standard(void) {
  for (int number = 0; number < 3; number++) {
    if (fcntl(number, F_GETFD) >= 0) continue;
    // For reading only, so that output there fails as it did before.
    int fd = open("/dev/null", O_RDONLY);
    if (fd < 0) fd = epoll_create1(0);
    if (fd < 0) return;
    // Another thread may have taken the number meanwhile, or a lower one was closed just now.
    if (fd > 2) close(fd);
  }
}
