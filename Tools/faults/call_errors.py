"""The errors that each system call may give, and the codes that a program may be told then.

The calls are those of layer.h. Errors of a call's arguments (EBADF, EFAULT, EINVAL) are not here: they
would be a fault of our own.
"""

SPACE = ["EIO", "ENOSPC", "EDQUOT"]
TABLES = ["EMFILE", "ENFILE", "ENOMEM"]
# The errors that a call may give.
ERRORS = {
    "openat2": TABLES + SPACE + ["EINTR"],
    "pread": ["EIO", "EINTR", "SHORT"], "pwrite": SPACE + ["EINTR", "SHORT"],
    "ftruncate": SPACE + ["EINTR"], "fallocate": SPACE + ["EINTR", "EOPNOTSUPP"],
    "fdatasync": SPACE + ["EINTR"], "fsync": SPACE + ["EINTR"],
    "fstat": ["EIO", "ENOMEM"], "fstatat": ["EIO", "ENOMEM"], "unlinkat": ["EIO", "ENOMEM"],
    "faccessat": ["EIO", "ENOMEM"], "readlinkat": ["EIO", "ENOMEM"],
    "fchown": ["EIO", "EDQUOT"], "fchmod": ["EIO"], "close": ["EIO", "EINTR"],
    "ofd_setlk": ["EIO", "ENOLCK", "EINTR"], "ofd_getlk": ["EIO", "EINTR"],
    "setlease": ["ENOMEM", "EAGAIN"], "unlease": ["EAGAIN"], "getlease": ["ENOMEM"],
    "setown": ["EPERM"], "seals": ["EBUSY"], "flock": ["ENOLCK"], "opendir": TABLES,
    "readdir": ["EIO"],
    "memfd_create": TABLES, "mmap": ["ENOMEM"], "munmap": ["ENOMEM"], "madvise": ["ENOMEM"],
    "shm_open": TABLES + ["ENOSPC"], "shm_unlink": ["EACCES"], "unlink": ["EIO"],
    "chmod": ["EIO"], "socket": TABLES, "bind": ["ENOMEM", "ENOSPC"], "listen": ["EADDRINUSE"],
    "connect": ["ENOMEM"], "accept4": TABLES + ["EINTR", "ECONNABORTED"],
    "sendmsg": ["ENOMEM", "EPIPE", "EAGAIN", "EINTR"], "recvmsg": ["ENOMEM", "EINTR"],
    "setsockopt": ["ENOMEM"], "getsockopt": ["ENOMEM"], "shutdown": ["ENOTCONN"],
    "poll": ["ENOMEM", "EINTR"], "epoll_create1": TABLES, "epoll_ctl": ["ENOMEM", "ENOSPC"],
    "epoll_wait": ["EINTR"], "pidfd_open": TABLES, "futex_wait": ["EINTR", "EAGAIN"],
    "futex_waitv": ["EINTR", "EAGAIN"], "robust_list": [], "signalfd": TABLES,
    "read": ["EINTR"], "pthread_create": ["EAGAIN"], "getrandom": ["EINTR"],
    "realpath": ["EIO"], "sched_getaffinity": ["EPERM"],
    "landlock": ["ENOMEM", "EMFILE", "EOPNOTSUPP"], "seccomp": ["ENOMEM", "ENOSYS"],
    "fstatfs": ["EIO", "ENOMEM", "EINTR"], "statx": ["EIO", "ENOMEM"],
    "name_to_handle_at": ["ENOMEM", "EOPNOTSUPP"],
}

# The codes that a program may be told when such a call fails, besides OK. A name stands for all codes
# that begin with it. A call that is not named here serves to begin a session: when it fails, the
# database cannot be opened.
SHM = ["IOERR_SHM"]
ALLOWED = {
    # It opens a journal or directory, or the place of a file that is looked for or deleted.
    "openat2": ["CANTOPEN", "IOERR_ACCESS", "IOERR_DELETE", "IOERR_LOCK"] + SHM,
    # SQLite turns IOERR_CORRUPTFS, the code for EIO, into CORRUPT.
    "pread": ["IOERR_READ", "IOERR_CORRUPTFS", "CORRUPT"],
    # When the write was posted, a later call reports its failure.
    "pwrite": ["IOERR_WRITE", "FULL"] + SHM,
    # A session's memory begins with this call too.
    "ftruncate": ["IOERR_TRUNCATE", "FULL", "CANTOPEN"] + SHM,
    "fallocate": ["IOERR", "FULL"],
    # A WAL database whose commit could not be synced is given up: connections are lost, any call says
    # so, and it cannot be opened before all have closed it.
    "fdatasync": ["IOERR", "FULL", "CANTOPEN", "BUSY"],
    "fsync": ["IOERR_DIR_FSYNC"],
    "fstat": ["CANTOPEN", "IOERR_FSTAT"] + SHM,
    # As with SQLite's own VFS, a file that cannot be found any more counts as moved.
    "fstatat": ["CANTOPEN", "IOERR_ACCESS", "READONLY_DBMOVED"],
    "unlinkat": ["IOERR_DELETE", "CANTOPEN"],
    "faccessat": [], "fchown": [], "fchmod": [], "close": [], "munmap": [], "madvise": [],
    "getlease": [], "futex_wait": [], "futex_waitv": [], "epoll_wait": [], "read": [],
    "landlock": [], "seccomp": [], "shutdown": [], "getrandom": [], "sched_getaffinity": [],
    "poll": [],
    # An outsider comes, and the locks cannot be put on the file, or the lease is gone already: then the
    # locks are lost, and any call says so.
    "ofd_setlk": ["IOERR"], "unlease": ["IOERR"],
    "ofd_getlk": ["IOERR_LOCK", "IOERR_CHECKRESERVEDLOCK"] + SHM,
    # delete-before-open cannot tell whether others use the file.
    "setlease": ["BUSY", "CANTOPEN"], "setown": ["CANTOPEN"],
    # A file system of unknown kind may belong to several hosts: there is no WAL mode, and the sidecar
    # cannot tell whether others use a database that is to be deleted.
    "fstatfs": ["CANTOPEN", "BUSY"],
    # Then a file cannot be told from its successor. That matters to a connection that goes on with
    # another sidecar.
    "statx": [], "name_to_handle_at": [],
    # The sidecar cannot tell the visitor's user.
    "getsockopt": ["PERM"],
    "sendmsg": ["CANTOPEN"] + SHM,
}

# The function of libc by which a call is made, where it has another name.
FUNCTIONS = {
    "openat2": "syscall", "pidfd_open": "syscall", "futex_wait": "syscall",
    "futex_waitv": "syscall", "robust_list": "syscall", "landlock": "syscall",
    "seccomp": "syscall", "ofd_setlk": "fcntl", "ofd_getlk": "fcntl", "setlease": "fcntl",
    "unlease": "fcntl", "getlease": "fcntl", "setown": "fcntl", "seals": "fcntl",
}
