// The VFS's errors, and the operations that they interrupt. The last step of the error ladder maps
// both to SQLite's result codes (VFSError+ResultCode) and to its log (Report).

internal import CSQLite
internal import SluiceChannel
internal import SluiceClient
internal import SluiceSystem
internal import SluiceWire

enum VFSError: Error {
  /// No sidecar could be reached on the socket (zero-terminated; nil: no private one was had).
  case connect(ConnectError, socket: [CChar]?)
  /// The sidecar refused the call or did not answer.
  case call(CallError)
  /// A URI parameter has an invalid value. The text says which, and what it takes.
  case uriParameter(StaticString)
  /// A URI parameter has a name that is nearly one of ours: the one with that index in CSQLite.
  case unknownParameter([UInt8], nearest: Int32)
  /// The directory in which a database is to be made does not exist.
  case noDirectory
  /// A system call in this process failed.
  case system(Errno)
  /// The connection's last transaction was shown what was not durable yet, and never will be.
  case takenBack(CallError)
  /// The sidecar was replaced, and SQLite must start again.
  case recovering
  /// The file that the new sidecar has under the database's name is not, or may not be, the file
  /// that this connection had open.
  case replaced
  /// The database can have no WAL index, because its users may be on several hosts.
  case noWALIndex
  /// The name means a file that the sidecar does not serve. Its root's path.
  case outside(root: [UInt8])
  /// Not a failure: a name of the host's is also that of a file beneath the sidecar's root.
  case twoMeanings

  var text: StaticString {
    switch self {
    case .connect(let error, _): error.text
    case .call(let error): error.text
    case .uriParameter(let text): text
    case .unknownParameter: "unknown parameter"
    case .noDirectory: "its directory does not exist"
    case .system(.nameTooLong): "the path is too long"
    case .system: "the system refused"
    case .takenBack:
      "the disk failed: what the last transaction was shown was taken back; try again"
    case .recovering: "the sidecar was replaced; try the transaction again"
    case .replaced:
      "since the sidecar died, the file may be another, or may have left WAL mode; open it again"
    case .noWALIndex:
      "WAL mode needs locking_mode=EXCLUSIVE here: other hosts may have mounted this file system"
    case .outside: Status.outsideRoot.text
    case .twoMeanings:
      "means the program's own file, not the file of that name in the sidecar's root"
    }
  }

  var errno: Errno {
    switch self {
    case .connect(let error, _): error.errno
    case .call(let error), .takenBack(let error): error.errno
    case .uriParameter, .unknownParameter: .invalid
    case .noDirectory: .noEntry
    case .system(let errno): errno
    case .recovering: .again
    case .replaced: .stale
    case .noWALIndex: .notSupported
    case .outside: .crossesDevice
    case .twoMeanings: Errno(0)
    }
  }

  /// Whether the session is over for this process: its sidecar is dead, or it belongs to the parent
  /// process.
  var endsSession: Bool {
    if case .call(let error) = self { error.endsSession } else { false }
  }

  /// Whether a transaction ends with it, because nothing of it is safe any more.
  var losesTransaction: Bool {
    switch self {
    case .call(.refused(.locksLost, _)), .call(.writeRefused(.locksLost, _)): true
    default: endsSession
    }
  }

  /// Whether this is part of normal work: another connection's lock, or an absent journal.
  var isOrdinary: Bool {
    switch self {
    case .call(.refused(.busy, _)), .call(.refused(.busyPending, _)), .call(.refused(.notFound, _)),
      .call(.refused(.walIndexNotSetUp, _)):
      true
    default: false
    }
  }

  /// Whether this is no failure at all, because SQLite goes on: there is no journal, or a database
  /// of several hosts stays in its old mode.
  func isNotice(_ operation: VFSOperation) -> Bool {
    switch self {
    case .call(.refused(.notFound, _)): operation != .open
    case .call(.refused(.walIndexNotSetUp, _)), .noWALIndex, .twoMeanings: true
    default: false
    }
  }
}

extension CallError {
  var endsSession: Bool {
    switch self {
    case .failed(.notSent): false
    case .failed, .sessionLost, .forked: true
    case .refused, .writeRefused: false
    }
  }

  var isBusy: Bool {
    switch self {
    case .refused(.busy, _), .refused(.busyPending, _): true
    default: false
    }
  }
}

/// Turns a CallError into a VFSError.
@inline(__always)
func call<R>(_ body: () throws(CallError) -> R) throws(VFSError) -> R {
  do throws(CallError) { return try body() } catch { throw .call(error) }
}

/// The operation that failed. Messages name it, and result codes depend on it.
enum VFSOperation {
  case open, fullPathname, delete, access, close, read, write, truncate, sync, fileSize
  case lock, unlock, checkReservedLock, fileControl, mapWALIndex, lockWALIndex, map
  case journalMode

  var name: StaticString {
    switch self {
    case .open: "open"
    case .fullPathname: "full pathname"
    case .delete: "delete"
    case .access: "access"
    case .close: "close"
    case .read: "read"
    case .write: "write"
    case .truncate: "truncate"
    case .sync: "sync"
    case .fileSize: "file size"
    case .lock: "lock"
    case .unlock: "unlock"
    case .checkReservedLock: "check reserved lock"
    case .fileControl: "file control"
    case .mapWALIndex: "map WAL index of"
    case .lockWALIndex: "lock WAL index of"
    case .map: "map"
    case .journalMode: "journal mode of"
    }
  }

  /// SQLite's code for a failure without a more special code.
  var failureCode: Int32 {
    switch self {
    case .open, .fullPathname: SQLITE_CANTOPEN
    case .delete: csqlite_ioerr_delete
    case .access: csqlite_ioerr_access
    case .close: csqlite_ioerr_close
    case .read: csqlite_ioerr_read
    case .write: csqlite_ioerr_write
    case .truncate: csqlite_ioerr_truncate
    case .sync: csqlite_ioerr_fsync
    case .fileSize: csqlite_ioerr_fstat
    case .lock: csqlite_ioerr_lock
    case .unlock: csqlite_ioerr_unlock
    case .checkReservedLock: csqlite_ioerr_checkreservedlock
    case .fileControl, .journalMode: SQLITE_IOERR
    case .mapWALIndex: csqlite_ioerr_shmmap
    case .lockWALIndex: csqlite_ioerr_shmlock
    case .map: csqlite_ioerr_mmap
    }
  }
}
