// TCP sockets. Only calls that a confined sidecar has: recvmsg and sendmsg, not recv and send.
#include "CSluice.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

union address {
  struct sockaddr any;
  struct sockaddr_in four;
  struct sockaddr_in6 six;
};

static int parse(const char *text, uint16_t port, union address *address, socklen_t *byte_count) {
  memset(address, 0, sizeof *address);
  if (inet_pton(AF_INET, text, &address->four.sin_addr) == 1) {
    address->four.sin_family = AF_INET;
    address->four.sin_port = htons(port);
    *byte_count = sizeof address->four;
    return 0;
  }
  if (inet_pton(AF_INET6, text, &address->six.sin6_addr) == 1) {
    address->six.sin6_family = AF_INET6;
    address->six.sin6_port = htons(port);
    *byte_count = sizeof address->six;
    return 0;
  }
  return -EINVAL;
}

int sluice_stream_listen(const char *text, uint16_t port, int backlog) {
  union address address;
  socklen_t byte_count;
  int error = parse(text, port, &address, &byte_count);
  if (error < 0) return error;
  int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  fd = sluice_descriptor_raise(fd);
  int on = 1;
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0
      || bind(fd, &address.any, byte_count) < 0 || listen(fd, backlog) < 0) {
    error = errno;
    close(fd);
    return -error;
  }
  return fd;
}

int sluice_stream_port(int fd) {
  union address address;
  socklen_t byte_count = sizeof address;
  if (getsockname(fd, &address.any, &byte_count) < 0) return -errno;
  return ntohs(address.any.sa_family == AF_INET ? address.four.sin_port : address.six.sin6_port);
}

int sluice_stream_accept(int fd) {
  int accepted = (int)SLUICE_RETRY(accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
  int on = 1;
  // A frame shall not wait for the answer to the one before.
  if (accepted >= 0) setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return accepted;
}

int64_t sluice_stream_receive(int fd, void *buffer, size_t count) {
  struct iovec data = {buffer, count};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
  return SLUICE_RETRY(recvmsg(fd, &message, MSG_DONTWAIT));
}

int64_t sluice_stream_send(int fd, const void *buffer, size_t count) {
  struct iovec data = {(void *)buffer, count};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
  return SLUICE_RETRY(sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT));
}

int sluice_stream_end(int fd) { return shutdown(fd, SHUT_WR) < 0 ? -errno : 0; }
