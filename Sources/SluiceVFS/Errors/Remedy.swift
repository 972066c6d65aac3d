// What a user can do about an error. Report adds it to the lines of SLUICE_LOG_FILE, to the line of
// `sluice run` and to `PRAGMA sluice_error`; SQLite's log has no room for it.

internal import SluiceClient
internal import SluiceSystem
internal import SluiceWire

extension VFSError {
  /// Nil where the error's own text says what to do, or nothing can be done.
  var remedy: StaticString? {
    switch self {
    case .connect(let error, _): error.remedy
    case .call(.refused(let status, let errno)), .call(.writeRefused(let status, let errno)):
      remedyForRefusal(status, errno)
    case .call(.failed(.peerGone)), .call(.sessionLost):
      "try the transaction again: it will use the next sidecar"
    case .call(.failed(.timedOut)): "see whether the sidecar is stopped"
    case .call(.failed(.violation)): "use libsluice.so and sluice of the same release"
    case .call(.failed(.notSent)): "use a shorter path"
    case .call(.forked): "open the database in the child"
    case .uriParameter, .unknownParameter: "correct the URI"
    case .system(.nameTooLong): "use a shorter path"
    case .system: "'sluice doctor' shows what this process lacks"
    case .outside: remedyForRefusal(.outsideRoot, errno)
    case .noDirectory: "make the directory, or correct the path"
    case .takenBack, .recovering, .replaced, .noWALIndex, .twoMeanings: nil
    }
  }
}

extension ConnectError {
  fileprivate var remedy: StaticString {
    switch self {
    case .unreachable(.notSocket): "name the socket on which 'sluice serve' listens"
    case .unreachable(.accessDenied):
      "start its sidecar with --allow-user, in a directory that this user may enter"
    case .unreachable: "start 'sluice serve' on that socket, or correct its name"
    case .notStarted(.noEntry), .notStarted(.accessDenied), .programNotFound:
      "install the program 'sluice', and name it in SLUICE_SIDECAR"
    case .notStarted, .system: "'sluice doctor' shows what this process lacks"
    case .noAnswer: "see whether the sidecar is stopped"
    case .hungUp: "see its own message on standard error, and 'sluice doctor'"
    case .refused(.userRefused): "start the sidecar with --allow-user and this user's number"
    case .refused(.tooManySessions):
      "see the sidecar's own message; raise its limits (ulimit -f, ulimit -n, memory)"
    case .refused, .notASidecar: "use libsluice.so and sluice of the same release"
    }
  }
}

private func remedyForRefusal(_ status: Status, _ errno: Errno) -> StaticString? {
  switch status {
  case .busy, .busyPending: "try again later, or set PRAGMA busy_timeout"
  case .notFound: "correct the path, or create the database"
  case .outsideRoot: "use a file beneath the sidecar's root, or serve its directory with --also"
  case .notRegular: "name an ordinary file"
  case .readOnly, .readOnlyDirectory, .walIndexNotSetUp:
    "let the sidecar's user write the file and its directory"
  case .limitReached: "close connections, or serve with higher limits"
  case .wrongVersion, .unknownOperation, .badHandshake, .misuse, .sqlError, .skipped,
    .unknownStatement, .tooLittleRoom, .spaceError:
    "use libsluice.so and sluice of the same release"
  case .userRefused: "start the sidecar with --allow-user and this user's number"
  case .tooManySessions:
    "see the sidecar's own message; raise its limits (ulimit -f, ulimit -n, memory)"
  case .systemError, .directorySyncFailed: remedy(for: errno)
  case .badFile, .locksLost, .magicLink, .done, .doneThroughLink, .doneShort, .doneReadOnly,
    .donePromised:
    nil
  }
}

private func remedy(for errno: Errno) -> StaticString? {
  switch errno {
  case .accessDenied, .notPermitted:
    "let the sidecar's user use the file and all directories above it, and write its directory"
  case .noEntry, .notDirectory: "correct the path"
  case .isDirectory: "name a file"
  case .readOnlyFileSystem: "open with mode=ro"
  case .noSpace: "make room on the disk"
  case .overQuota: "make room, or raise the quota"
  case .fileTooLarge: "raise ulimit -f"
  case .tooManyOpen, .tooManyOpenInSystem: "raise ulimit -n"
  case .nameTooLong: "use a shorter path"
  default: nil
  }
}
