// SQLite's extended result codes for the VFS's errors.

internal import CSQLite
internal import SluiceClient
internal import SluiceSystem
internal import SluiceWire

extension VFSError {
  /// SQLite's extended result code.
  func resultCode(_ operation: VFSOperation) -> Int32 {
    switch self {
    case .connect(.refused(.wrongVersion), _): SQLITE_PROTOCOL
    case .connect(.refused(.userRefused), _): SQLITE_PERM
    case .connect, .noDirectory: SQLITE_CANTOPEN
    case .uriParameter, .unknownParameter: SQLITE_MISUSE
    case .system: operation.failureCode
    case .takenBack: csqlite_ioerr_fsync
    case .recovering: csqlite_busy_recovery
    case .replaced: SQLITE_CANTOPEN
    // Not a failure: SQLite stays in the old mode, or reports the error itself.
    case .noWALIndex: operation == .journalMode ? SQLITE_NOTICE : SQLITE_WARNING
    case .twoMeanings: SQLITE_NOTICE
    case .outside: VFSError.resultCode(of: .outsideRoot, errno, operation)
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
    case .done, .doneThroughLink, .doneShort, .doneReadOnly, .donePromised: SQLITE_OK
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
    // Stock SQLite has no such refusals, so they may have a code of their own.
    case .outsideRoot, .magicLink:
      operation == .fullPathname ? csqlite_cantopen_fullpath : operation.failureCode
    case .badFile, .notRegular, .limitReached, .locksLost,
      .unknownOperation, .misuse, .wrongVersion, .userRefused, .badHandshake,
      .tooManySessions, .sqlError, .skipped, .unknownStatement, .tooLittleRoom,
      .spaceError:
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
    default: operation.failureCode
    }
  }
}
