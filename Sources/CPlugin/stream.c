// Bytes and descriptors on the sockets between these processes.
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "CPlugin.h"
#include "CSluice.h"

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

// What came of a call on a socket: the bytes that went over, or 0 to try it again.
static int64_t outcome(ssize_t n, int socket, short events, int64_t deadline_ns) {
  return n < 0 ? after_failure(socket, events, deadline_ns) : n;
}

int64_t cplugin_send_some(int socket, const void *bytes, size_t byte_count, int64_t deadline_ns) {
  struct iovec part = {(void *)bytes, byte_count};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  int64_t n = 0;
  while (n == 0)
    n = outcome(sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT), socket, POLLOUT, deadline_ns);
  return n;
}

int64_t cplugin_receive_some(int socket, void *bytes, size_t byte_count, int64_t deadline_ns) {
  struct iovec part = {bytes, byte_count};
  int64_t n = 0;
  while (n == 0) {
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t received = recvmsg(socket, &message, MSG_DONTWAIT);
    if (received == 0) return -EPIPE;
    n = outcome(received, socket, POLLIN, deadline_ns);
  }
  return n;
}

int cplugin_send(int socket, const void *bytes, size_t byte_count, int64_t deadline_ns) {
  const char *next = bytes;
  while (byte_count > 0) {
    int64_t n = cplugin_send_some(socket, next, byte_count, deadline_ns);
    if (n < 0) return (int)n;
    next += n;
    byte_count -= (size_t)n;
  }
  return 0;
}

int cplugin_receive(int socket, void *bytes, size_t byte_count, int64_t deadline_ns) {
  char *next = bytes;
  while (byte_count > 0) {
    int64_t n = cplugin_receive_some(socket, next, byte_count, deadline_ns);
    if (n < 0) return (int)n;
    next += n;
    byte_count -= (size_t)n;
  }
  return 0;
}

// --- descriptors --------------------------------------------------------------------------------

// Room for one descriptor beside a message.
union ancillary {
  char bytes[CMSG_SPACE(sizeof(int))];
  struct cmsghdr header;
};

void cplugin_send_descriptor(int socket, int32_t process, int descriptor) {
  struct iovec part = {&process, sizeof process};
  union ancillary ancillary = {{0}};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (process > 0) {
    message.msg_control = ancillary.bytes;
    message.msg_controllen = sizeof ancillary.bytes;
    ancillary.header = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&ancillary.header), &descriptor, sizeof descriptor);
  }
  sendmsg(socket, &message, MSG_NOSIGNAL);
}

int cplugin_receive_descriptor(int socket, int *process) {
  int32_t answer = 0;
  struct iovec part = {&answer, sizeof answer};
  union ancillary ancillary = {{0}};
  struct msghdr message = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = ancillary.bytes,
                           .msg_controllen = sizeof ancillary.bytes};
  int64_t n = SLUICE_RETRY(recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL));
  if (n == -ECONNRESET) return -EPIPE;
  if (n < 0) return (int)n;
  if (n < (int64_t)sizeof answer) return -EPIPE;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (answer <= 0 || !header || header->cmsg_type != SCM_RIGHTS) return -EAGAIN;
  int descriptor;
  memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
  *process = answer;
  return descriptor;
}
