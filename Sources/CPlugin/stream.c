#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include "CPlugin.h"

// Waits until the socket is ready; 0 or -errno.
static int await(int socket, short events, int64_t deadline_ns) {
  while (1) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t rest = deadline_ns - ((int64_t)now.tv_sec * 1000000000 + now.tv_nsec);
    if (rest <= 0) return -ETIMEDOUT;
    struct timespec timeout = {rest / 1000000000, rest % 1000000000};
    struct pollfd entry = {socket, events, 0};
    int count = ppoll(&entry, 1, deadline_ns == INT64_MAX ? NULL : &timeout, NULL);
    if (count > 0) return 0;
    if (count < 0 && errno != EINTR) return -errno;
  }
}

// What to do after a call that failed: 0 to try it again, or why not.
static int after_failure(int socket, short events, int64_t deadline_ns) {
  int error = errno;
  if (error == EAGAIN) error = -await(socket, events, deadline_ns);
  if (error == ECONNRESET) error = EPIPE;
  return error == EINTR ? 0 : -error;
}

int cplugin_send(int socket, const void *bytes, size_t byte_count, int64_t deadline_ns) {
  const char *next = bytes;
  while (byte_count > 0) {
    struct iovec part = {(void *)next, byte_count};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t n = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) {
      int error = after_failure(socket, POLLOUT, deadline_ns);
      if (error != 0) return error;
      continue;
    }
    next += n;
    byte_count -= (size_t)n;
  }
  return 0;
}

int cplugin_receive(int socket, void *bytes, size_t byte_count, int64_t deadline_ns) {
  char *next = bytes;
  while (byte_count > 0) {
    struct iovec part = {next, byte_count};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t n = recvmsg(socket, &message, MSG_DONTWAIT);
    if (n == 0) return -EPIPE;
    if (n < 0) {
      int error = after_failure(socket, POLLIN, deadline_ns);
      if (error != 0) return error;
      continue;
    }
    next += n;
    byte_count -= (size_t)n;
  }
  return 0;
}
