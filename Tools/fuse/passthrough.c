/* fuse-passthrough [-o nocache] SOURCE MOUNTPOINT: shows the files of the directory SOURCE, of one
** level, at MOUNTPOINT. It is what `sluice-bench --peer fuse` compares Sluice with: SQLite's own VFS, whose
** files another process owns. It does all I/O and holds all locks.
**
** The kernel may keep names and attributes for one second, and absent names not at all. It may keep a
** file's pages while the file's time and size are the same as at its last open. Writes go through at
** once. Up to ten threads serve calls, each one at a time. With `nocache` the kernel keeps nothing: two
** mounts of one directory are then like two hosts that have one file system mounted.
**
** SIGUSR1 is the loss of a connection, as on a file system with a server behind it: all locks are gone,
** and every descriptor that was open before fails with EBADFD from then on. SIGUSR2 begins a cut, in
** which every call fails with ENOTCONN; the next SIGUSR2 ends it. Prints `done` after each.
**
** Says `ready` when it is mounted; unmounts and ends on SIGTERM, and with the process that started
** it. Linked with libfuse3; Tools/fuse/build makes it. */
#define _GNU_SOURCE
#define FUSE_USE_VERSION 35
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static int source;
static int caches = 1;

/* Paths come as "/name"; the kernel has already walked them. */
static const char *beneath(const char *path) { return path[1] ? path + 1 : "."; }

static volatile int is_cut;

/* The answer to the kernel. If there is no descriptor, its server has forgotten it. */
static int result(int code) {
  if (is_cut) return -ENOTCONN;
  if (code >= 0) return code;
  return errno == EBADF ? -EBADFD : -errno;
}

/* The number of lost connections. */
static volatile unsigned losses;

/* An open file is its descriptor and, above that, the count of losses at its opening. */
static uint64_t opened(int fd) { return (uint64_t)fd | (uint64_t)losses << 32; }

/* The descriptor of an open file, or -1. */
static int file_of(const struct fuse_file_info *info) {
  return info->fh >> 32 == (uint64_t)losses ? (int)info->fh : -1;
}

/* --- locks --------------------------------------------------------------------------------------
**
** POSIX locks belong to a process, whatever descriptor it uses; this process is one for all of them.
** So each pair of file and owner gets an open file description, on which its locks are put. */

struct holder {
  struct holder *next;
  dev_t device;
  ino_t inode;
  uint64_t owner;
  int fd;
  /* The open file through which they were last put there. */
  uint64_t file;
};

static struct holder *holders;
static pthread_mutex_t holders_lock = PTHREAD_MUTEX_INITIALIZER;

/* The description for the owner's locks on an open file; made if `make`, else perhaps -1. */
static int holder_of(int fd, uint64_t owner, int make) {
  struct stat status;
  if (fstat(fd, &status) < 0) return -1;
  for (struct holder *h = holders; h; h = h->next) {
    if (h->owner == owner && h->inode == status.st_ino && h->device == status.st_dev) {
      h->file = (uint64_t)fd;
      return h->fd;
    }
  }
  if (!make) return -1;
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  struct holder *fresh = malloc(sizeof *fresh);
  if (!fresh) return -1;
  int access = fcntl(fd, F_GETFL) & O_ACCMODE;
  *fresh = (struct holder){holders, status.st_dev, status.st_ino, owner,
                           open(path, access | O_CLOEXEC), (uint64_t)fd};
  if (fresh->fd < 0) {
    free(fresh);
    return -1;
  }
  holders = fresh;
  return fresh->fd;
}

/* A process that closes any descriptor of a file loses all its locks on it. */
static void forget_holder(int fd, uint64_t owner) {
  struct stat status;
  if (fstat(fd, &status) < 0) return;
  pthread_mutex_lock(&holders_lock);
  for (struct holder **h = &holders; *h; h = &(*h)->next) {
    struct holder *found = *h;
    if (found->owner != owner || found->inode != status.st_ino || found->device != status.st_dev) {
      continue;
    }
    *h = found->next;
    close(found->fd);
    free(found);
    break;
  }
  pthread_mutex_unlock(&holders_lock);
}

/* A description that is closed loses its locks, and the kernel says no more than that it is closed.
** Its locks have the description for an owner; those of a process are gone by now. */
static void forget_holders_by(int fd) {
  pthread_mutex_lock(&holders_lock);
  for (struct holder **h = &holders; *h;) {
    struct holder *found = *h;
    if (found->file != (uint64_t)fd) {
      h = &found->next;
      continue;
    }
    *h = found->next;
    close(found->fd);
    free(found);
  }
  pthread_mutex_unlock(&holders_lock);
}

static void forget_all_holders(void) {
  pthread_mutex_lock(&holders_lock);
  while (holders) {
    struct holder *next = holders->next;
    close(holders->fd);
    free(holders);
    holders = next;
  }
  pthread_mutex_unlock(&holders_lock);
}

/* A thread that serves the signals. */
static void *answer_signals(void *asked) {
  for (int number; sigwait(asked, &number) == 0;) {
    if (number == SIGUSR2) {
      is_cut = !is_cut;
    } else {
      losses++;
      forget_all_holders();
    }
    puts("done");
    fflush(stdout);
  }
  return NULL;
}

static int on_lock(const char *path, struct fuse_file_info *info, int command, struct flock *lock) {
  (void)path;
  /* SQLite never waits in a lock. If a thread of ours waited, it could wait for its own release. */
  if (command == F_SETLKW) return -ENOTSUP;
  int file = file_of(info);
  if (is_cut || file < 0) return is_cut ? -ENOTCONN : -EBADFD;
  pthread_mutex_lock(&holders_lock);
  int fd = holder_of(file, info->lock_owner, lock->l_type != F_UNLCK);
  int code = 0;
  if (fd >= 0) {
    lock->l_pid = 0;
    code = fcntl(fd, command == F_GETLK ? F_OFD_GETLK : F_OFD_SETLK, lock);
  } else if (lock->l_type != F_UNLCK) {
    code = -1;
  }
  code = result(code);
  pthread_mutex_unlock(&holders_lock);
  return code;
}

static int on_flush(const char *path, struct fuse_file_info *info) {
  (void)path;
  forget_holder((int)info->fh, info->lock_owner);
  return 0;
}

/* --- files -------------------------------------------------------------------------------------- */

static int on_getattr(const char *path, struct stat *status, struct fuse_file_info *info) {
  if (info) return result(fstat(file_of(info), status));
  return result(fstatat(source, beneath(path), status, AT_SYMLINK_NOFOLLOW));
}

static int on_open(const char *path, struct fuse_file_info *info) {
  if (is_cut) return -ENOTCONN;
  int fd = openat(source, beneath(path), (info->flags & ~O_NOFOLLOW) | O_CLOEXEC);
  if (fd < 0) return -errno;
  info->fh = opened(fd);
  return 0;
}

static int on_create(const char *path, mode_t mode, struct fuse_file_info *info) {
  if (is_cut) return -ENOTCONN;
  int fd = openat(source, beneath(path), info->flags | O_CREAT | O_CLOEXEC, mode);
  if (fd < 0) return -errno;
  info->fh = opened(fd);
  return 0;
}

static int on_release(const char *path, struct fuse_file_info *info) {
  (void)path;
  forget_holders_by((int)info->fh);
  close((int)info->fh);
  return 0;
}

static int on_read(const char *path, char *buffer, size_t size, off_t offset,
                   struct fuse_file_info *info) {
  (void)path;
  return result((int)pread(file_of(info), buffer, size, offset));
}

static int on_write(const char *path, const char *buffer, size_t size, off_t offset,
                    struct fuse_file_info *info) {
  (void)path;
  if (is_cut) return -ENOTCONN;
  return result((int)pwrite(file_of(info), buffer, size, offset));
}

static int on_truncate(const char *path, off_t size, struct fuse_file_info *info) {
  if (is_cut) return -ENOTCONN;
  if (info) return result(ftruncate(file_of(info), size));
  int fd = openat(source, beneath(path), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  int code = result(ftruncate(fd, size));
  close(fd);
  return code;
}

static int on_fallocate(const char *path, int mode, off_t offset, off_t size,
                        struct fuse_file_info *info) {
  (void)path;
  return result(fallocate(file_of(info), mode, offset, size));
}

static int on_fsync(const char *path, int data_only, struct fuse_file_info *info) {
  (void)path;
  return result(data_only ? fdatasync(file_of(info)) : fsync(file_of(info)));
}

static int on_opendir(const char *path, struct fuse_file_info *info) {
  (void)path;
  if (is_cut) return -ENOTCONN;
  int fd = openat(source, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -errno;
  info->fh = opened(fd);
  return 0;
}

static int on_releasedir(const char *path, struct fuse_file_info *info) {
  (void)path;
  close((int)info->fh);
  return 0;
}

static int on_fsyncdir(const char *path, int data_only, struct fuse_file_info *info) {
  (void)path, (void)data_only;
  return result(fsync(file_of(info)));
}

static int on_unlink(const char *path) {
  if (is_cut) return -ENOTCONN;
  return result(unlinkat(source, beneath(path), 0));
}

static int on_rename(const char *from, const char *to, unsigned flags) {
  return result(renameat2(source, beneath(from), source, beneath(to), flags));
}

static int on_chmod(const char *path, mode_t mode, struct fuse_file_info *info) {
  if (info) return result(fchmod(file_of(info), mode));
  return result(fchmodat(source, beneath(path), mode, 0));
}

static int on_chown(const char *path, uid_t user, gid_t group, struct fuse_file_info *info) {
  if (info) return result(fchown(file_of(info), user, group));
  return result(fchownat(source, beneath(path), user, group, AT_SYMLINK_NOFOLLOW));
}

static int on_utimens(const char *path, const struct timespec times[2],
                      struct fuse_file_info *info) {
  if (info) return result(futimens(file_of(info), times));
  return result(utimensat(source, beneath(path), times, AT_SYMLINK_NOFOLLOW));
}

static int on_readdir(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset,
                      struct fuse_file_info *info, enum fuse_readdir_flags flags) {
  (void)path, (void)offset, (void)info, (void)flags;
  int fd = openat(source, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -errno;
  DIR *directory = fdopendir(fd);
  for (struct dirent *entry; (entry = readdir(directory));) {
    fill(buffer, entry->d_name, NULL, 0, 0);
  }
  closedir(directory);
  return 0;
}

/* --- life --------------------------------------------------------------------------------------- */

static void *on_init(struct fuse_conn_info *connection, struct fuse_config *config) {
  (void)connection;
  config->use_ino = 1;
  config->nullpath_ok = 1;
  /* Forgotten pages, unless the file is as it was. */
  config->auto_cache = 1;
  config->entry_timeout = 1;
  config->attr_timeout = 1;
  config->negative_timeout = 0;
  /* SQLite deletes no file that it has open. */
  config->hard_remove = 1;
  if (!caches) {
    config->auto_cache = 0;
    config->direct_io = 1;
    config->entry_timeout = config->attr_timeout = 0;
  }
  puts("ready");
  fflush(stdout);
  return NULL;
}

static const struct fuse_operations operations = {
    .init = on_init,           .getattr = on_getattr,   .open = on_open,
    .create = on_create,       .release = on_release,   .read = on_read,
    .write = on_write,         .truncate = on_truncate, .fallocate = on_fallocate,
    .fsync = on_fsync,         .fsyncdir = on_fsyncdir, .unlink = on_unlink,
    .chmod = on_chmod,         .chown = on_chown,       .utimens = on_utimens,
    .rename = on_rename,       .readdir = on_readdir,   .lock = on_lock,
    .flush = on_flush,         .opendir = on_opendir,   .releasedir = on_releasedir,
};

int main(int count, char *words[]) {
  if (count == 5 && strcmp(words[1], "-o") == 0 && strcmp(words[2], "nocache") == 0) {
    caches = 0;
    words[2] = words[0];
    words += 2;
    count -= 2;
  }
  if (count != 3) {
    fprintf(stderr, "usage: fuse-passthrough [-o nocache] SOURCE MOUNTPOINT\n");
    return 64;
  }
  source = open(words[1], O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (source < 0) {
    fprintf(stderr, "fuse-passthrough: %s: %s\n", words[1], strerror(errno));
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  static sigset_t asked;
  sigemptyset(&asked);
  sigaddset(&asked, SIGUSR1);
  sigaddset(&asked, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &asked, NULL);
  pthread_t thread;
  if (pthread_create(&thread, NULL, answer_signals, &asked) != 0) return 2;
  char *arguments[] = {words[0], "-f", "-o", "fsname=fuse-passthrough,max_threads=10", words[2],
                       NULL};
  return fuse_main(5, arguments, &operations, NULL);
}
