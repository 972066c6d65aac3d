// The errors on the client's side: when a session is made, and when a call is made.

public import SluiceChannel
public import SluiceSystem
public import SluiceWire

/// Why no session could be made.
public enum ConnectError: Error, Equatable, Sendable {
  /// No process listens on the socket, or the socket cannot be reached.
  case unreachable(Errno)
  /// The program of the private sidecar cannot be started.
  case notStarted(Errno)
  /// No `sluice` program was found.
  case programNotFound
  /// The peer did not answer in time.
  case noAnswer
  /// The peer ended or closed the connection without an answer.
  case hungUp
  /// The sidecar refused: `wrongVersion`, `userRefused`, `tooManySessions`, `badHandshake`.
  case refused(Status)
  /// The peer is not a sidecar of this protocol version.
  case notASidecar
  /// A system call on this side failed.
  case system(Errno)

  /// The reason, in words for the user.
  public var text: StaticString {
    switch self {
    case .unreachable(.notSocket): "the name of the socket is that of another file"
    case .unreachable: "no sidecar can be reached on the socket"
    case .notStarted: "the private sidecar cannot be started"
    case .programNotFound:
      "no sluice program found for a private sidecar; set SLUICE_SIDECAR or SLUICE_SOCKET"
    case .noAnswer: "the sidecar does not answer"
    case .hungUp: "the sidecar ended before it answered"
    case .refused(.wrongVersion): "the sidecar speaks another protocol version"
    case .refused(.userRefused): "the sidecar does not serve this user"
    case .refused(.tooManySessions): "the sidecar can make no further session"
    case .refused: "the sidecar refused the session"
    case .notASidecar: "the socket belongs to no sluice sidecar of this protocol version"
    case .system: "the session cannot be set up"
    }
  }

  public var errno: Errno {
    switch self {
    case .unreachable(let errno), .notStarted(let errno), .system(let errno): errno
    case .programNotFound: .noEntry
    case .noAnswer: .timedOut
    case .hungUp: .connectionReset
    case .refused(.userRefused): .accessDenied
    case .refused, .notASidecar: .connectionRefused
    }
  }
}

/// Why a call failed.
public enum CallError: Error, Equatable, Sendable {
  /// The sidecar answered, and the request was not done.
  case refused(Status, Errno)
  /// An earlier posted write was refused, not this call.
  case writeRefused(Status, Errno)
  /// There was no answer. The sidecar is dead, stuck or broken, and the session is over.
  case failed(ChannelFailure)
  /// The session was over before the call.
  case sessionLost
  /// The session belongs to the process that this one was forked from.
  case forked

  /// The reason, in words for the user.
  public var text: StaticString {
    switch self {
    case .refused(.systemError, .nameTooLong): "the path is too long"
    case .refused(let status, _), .writeRefused(let status, _): status.text
    case .failed(.peerGone): "the sidecar died"
    case .failed(.timedOut): "the sidecar did not answer in time"
    case .failed(.violation): "the sidecar broke the protocol"
    case .failed(.notSent(.tooLong)): "the path is too long"
    case .failed(.notSent): "the request makes no sense"
    case .sessionLost: "the session with the sidecar is over"
    case .forked:
      "this process was forked within the transaction; only the parent can continue it"
    }
  }

  public var errno: Errno {
    switch self {
    case .refused(_, let errno), .writeRefused(_, let errno): errno
    case .failed(.timedOut): .timedOut
    case .failed(.notSent(.tooLong)): .nameTooLong
    case .failed(.notSent): .invalid
    case .failed, .sessionLost, .forked: .brokenPipe
    }
  }
}

extension Status {
  /// The status in words for the user.
  public var text: StaticString {
    switch self {
    case .done, .doneThroughLink, .doneShort, .doneReadOnly, .donePromised: "done"
    case .busy, .busyPending: "locked by another connection"
    case .notFound: "no such file"
    case .systemError: "the system refused"
    case .badFile: "no such open file in this session"
    case .outsideRoot: "the path leads out of the sidecar's root directory"
    case .notRegular: "not a regular file"
    case .readOnly: "the file is open for reading only"
    case .limitReached: "too many open files or channels in this session"
    case .locksLost:
      "the sidecar lost its locks, because it was stopped or a sync failed; roll back and try again"
    case .readOnlyDirectory: "the directory is not writable, so no journal can be made"
    case .unknownOperation: "the sidecar does not know this operation"
    case .misuse: "the request makes no sense here"
    case .directorySyncFailed: "done, but the directory could not be made durable"
    case .magicLink: "a /proc link means another file to the sidecar; name the file itself"
    case .walIndexNotSetUp: "the WAL index is read-only and has not been set up"
    case .sqlError: "SQLite refused"
    case .skipped: "skipped, because the statement before it was not done"
    case .unknownStatement: "no such statement in this connection"
    case .tooLittleRoom: "a row does not fit into the room for the answer"
    case .spaceError: "the space of documents refused"
    case .wrongVersion: "another protocol version"
    case .userRefused: "this user is not served"
    case .badHandshake: "malformed handshake"
    case .tooManySessions: "too many sessions"
    }
  }
}
