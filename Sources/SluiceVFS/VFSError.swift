// What goes wrong in the VFS, and the last step of the error ladder: to SQLite's result codes, to
// its log, and to xGetLastError.

internal import CSQLite
internal import CSluice
internal import SluiceChannel
internal import SluiceClient
internal import SluiceSystem
internal import SluiceWire

enum VFSError: Error {
  /// There is no sidecar to ask.
  case connect(ConnectError)
  /// The sidecar said no, or nothing.
  case call(CallError)
  /// A URI parameter of that name has a value that it cannot have.
  case uriParameter(StaticString)
  /// A system call in this process failed.
  case system(Errno)
  /// The sidecar was replaced, and SQLite must begin anew.
  case recovering
  /// What the new sidecar has under the database's name is not, or not certainly, what this connection
  /// had open.
  case replaced
  /// The database can have no WAL index, because its users may be on several hosts.
  case noWALIndex

  var text: StaticString {
    switch self {
    case .connect(let error): error.text
    case .call(let error): error.text
    case .uriParameter(let text): text
    case .system(.nameTooLong): "the path is too long"
    case .system: "the system refused"
    case .recovering: "its sidecar was replaced; the transaction can be tried again"
    case .replaced:
      "perhaps not the same file, or not in WAL mode any more, since its sidecar died; open it again"
    case .noWALIndex:
      "WAL mode needs locking_mode=EXCLUSIVE here: other hosts may have the file system mounted"
    }
  }

  var errno: Errno {
    switch self {
    case .connect(let error): error.errno
    case .call(let error): error.errno
    case .uriParameter: .invalid
    case .system(let errno): errno
    case .recovering: .again
    case .replaced: .stale
    case .noWALIndex: .notSupported
    }
  }

  /// Whether the session is over for this process: its sidecar is dead, or it is that of its parent.
  var endsSession: Bool {
    if case .call(let error) = self { error.endsSession } else { false }
  }

  /// Whether this happens every day: somebody else's lock, a journal that is not there.
  var isOrdinary: Bool {
    switch self {
    case .call(.refused(.busy, _)), .call(.refused(.busyPending, _)), .call(.refused(.notFound, _)),
      .call(.refused(.walIndexNotSetUp, _)):
      true
    default: false
    }
  }
}

/// What was being done, for messages and for the choice among result codes.
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

  /// SQLite's code where nothing more special is known.
  var failureCode: Int32 {
    switch self {
    case .open: SQLITE_CANTOPEN
    case .fullPathname: csqlite_cantopen_fullpath
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

extension CallError {
  var endsSession: Bool {
    switch self {
    case .failed(.notSent): false
    case .failed, .sessionLost, .forked: true
    case .refused, .writeRefused: false
    }
  }
}

extension VFSError {
  /// SQLite's extended result code.
  func resultCode(_ operation: VFSOperation) -> Int32 {
    switch self {
    case .connect(.refused(.wrongVersion)): SQLITE_PROTOCOL
    case .connect(.refused(.userRefused)): SQLITE_PERM
    case .connect: SQLITE_CANTOPEN
    case .uriParameter: SQLITE_MISUSE
    case .system: operation.failureCode
    case .recovering: csqlite_busy_recovery
    case .replaced: SQLITE_CANTOPEN
    // Not a failure: SQLite goes on in the old mode, or says itself that it cannot.
    case .noWALIndex: operation == .journalMode ? SQLITE_NOTICE : SQLITE_WARNING
    case .call(.refused(let status, let errno)):
      VFSError.resultCode(of: status, errno, operation)
    case .call(.writeRefused(_, let errno)):
      VFSError.resultCode(of: errno, .write)
    case .call(.failed), .call(.sessionLost), .call(.forked): operation.failureCode
    }
  }

  private static func resultCode(
    of status: Status, _ errno: Errno, _ operation: VFSOperation
  ) -> Int32 {
    switch status {
    case .done, .doneThroughLink, .doneShort, .doneReadOnly: SQLITE_OK
    case .walIndexNotSetUp: csqlite_readonly_cantinit
    case .busy, .busyPending: SQLITE_BUSY
    case .notFound:
      switch operation {
      case .delete: csqlite_ioerr_delete_noent
      case .mapWALIndex: SQLITE_CANTOPEN
      default: operation.failureCode
      }
    case .systemError: resultCode(of: errno, operation)
    case .readOnly: SQLITE_READONLY
    case .readOnlyDirectory: csqlite_readonly_directory
    case .directorySyncFailed: csqlite_ioerr_dir_fsync
    case .badFile, .outsideRoot, .magicLink, .notRegular, .limitReached, .locksLost,
      .unknownOperation, .misuse, .wrongVersion, .userRefused, .badHandshake,
      .tooManySessions:
      operation.failureCode
    }
  }

  private static func resultCode(of errno: Errno, _ operation: VFSOperation) -> Int32 {
    switch (operation, errno) {
    case (.mapWALIndex, .accessDenied), (.mapWALIndex, .notPermitted), (.mapWALIndex, .isDirectory),
      (.mapWALIndex, .readOnlyFileSystem), (.mapWALIndex, .tooManyLinks),
      (.mapWALIndex, .tooManyOpen):
      SQLITE_CANTOPEN
    case (.mapWALIndex, .noSpace), (.mapWALIndex, .overQuota): csqlite_ioerr_shmsize
    case (.write, .noSpace), (.write, .overQuota), (.truncate, .noSpace), (.truncate, .overQuota),
      (.sync, .noSpace), (.sync, .overQuota):
      SQLITE_FULL
    case (.read, .inputOutput), (.read, .outOfRange): csqlite_ioerr_corruptfs
    case (.open, .isDirectory): csqlite_cantopen_isdir
    default: operation.failureCode
    }
  }
}

/// How much is told through sqlite3_log: SLUICE_LOG is 0 for nothing, 1 for what is significant
/// (the default), 2 for every failure.
private let logLevel: Int = {
  guard let value = unsafe environmentValue("SLUICE_LOG"), unsafe value[1] == 0 else { return 1 }
  switch unsafe UInt8(bitPattern: value[0]) {
  case UInt8(ascii: "0"): return 0
  case UInt8(ascii: "2"): return 2
  default: return 1
  }
}()

/// Remembers the failure for xGetLastError, tells SQLite's log, and gives the result code.
@inline(never)
func report(_ error: VFSError, _ operation: VFSOperation, _ path: [UInt8]) -> Int32 {
  let code = error.resultCode(operation)
  let last = unsafe sluice_last_error()!
  unsafe last.pointee.error_number = error.errno.rawValue
  let text = unsafe sluice_last_error_text(last)!
  let room = unsafe UnsafeMutableBufferPointer(
    start: text, count: Int(SLUICE_LAST_ERROR_BYTE_COUNT))
  if logLevel == 2 || logLevel == 1 && !error.isOrdinary {
    unsafe describe(error, operation, path.suffix(loggedPathByteCountMaximum), in: room)
    unsafe csqlite_log(code, text)
  }
  unsafe describe(error, operation, path[...], in: room)
  return code
}

/// sqlite3_log cuts a message off after 209 bytes, so of a long path it is told the end: the reason
/// stands behind it.
private let loggedPathByteCountMaximum = 80

private func describe(
  _ error: VFSError, _ operation: VFSOperation, _ path: ArraySlice<UInt8>,
  in room: UnsafeMutableBufferPointer<CChar>
) {
  var line = unsafe LineWriter(room)
  unsafe line.write("sluice: ")
  line.write(operation.name)
  unsafe line.write(" ")
  if path.startIndex > 0 { unsafe line.write("…") }
  if path.isEmpty { unsafe line.write("a temporary file") } else { line.write(path) }
  unsafe line.write(": ")
  line.write(error.text)
  if error.errno.rawValue != 0, !error.isOrdinary {
    unsafe line.write(": ")
    unsafe line.write(error.errno.text)
  }
  line.finish()
}

/// xGetLastError: the thread's last errno, and its message where there is room.
func lastError(_ byteCount: Int32, _ out: UnsafeMutablePointer<CChar>?) -> Int32 {
  let last = unsafe sluice_last_error()!
  if let out = unsafe out, byteCount > 0 {
    unsafe strncpy(out, sluice_last_error_text(last), Int(byteCount) - 1)
    unsafe out[Int(byteCount) - 1] = 0
  }
  return unsafe last.pointee.error_number
}

/// Writes one line into room that is already there; what does not fit is left out.
@safe
private struct LineWriter {
  private let room: UnsafeMutableBufferPointer<CChar>
  private var count = 0

  init(_ room: UnsafeMutableBufferPointer<CChar>) { unsafe self.room = unsafe room }

  mutating func write(_ text: StaticString) {
    unsafe write(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  mutating func write(_ text: UnsafePointer<CChar>) {
    let bytes = unsafe UnsafeRawPointer(text).assumingMemoryBound(to: UInt8.self)
    unsafe write(UnsafeBufferPointer(start: bytes, count: strlen(text)))
  }

  mutating func write<Bytes: Sequence<UInt8>>(_ bytes: Bytes) {
    for byte in bytes where unsafe count < room.count - 1 {
      unsafe room[count] = CChar(bitPattern: byte)
      count += 1
    }
  }

  func finish() { unsafe room[count] = 0 }
}
