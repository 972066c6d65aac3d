// The result of a request: the wire's step in the ladder Errno → FileError → Status → SQLite result
// code. Raw values are part of the protocol.

/// The return code of a slot. From 0 to 15: the request was done.
public enum Status: Int32, CaseIterable, Error, Sendable {
  case done = 0
  /// Done; the name given leads through a symbolic link.
  case doneThroughLink = 1
  /// Done; fewer bytes than requested, because the file ends there.
  case doneShort = 2
  /// Done; the requested object can only be read.
  case doneReadOnly = 3
  /// Promised: `syncAwait` tells when it is done.
  case donePromised = 4

  /// Another holder's lock is in the way.
  case busy = 16
  /// No such file.
  case notFound = 17
  /// The system refused; the slot's error number says why.
  case systemError = 18
  /// No file of this session has that id.
  case badFile = 19
  /// The path leads out of the root directory.
  case outsideRoot = 20
  /// Not a regular file.
  case notRegular = 21
  /// The file is open for reading only.
  case readOnly = 22
  /// A limit of the sidecar was reached: channels or files of one session.
  case limitReached = 23
  /// The sidecar was stopped so long that the system gave its locks to others.
  case locksLost = 24
  /// A journal cannot be created because its directory cannot be written.
  case readOnlyDirectory = 25
  /// This sidecar does not know the operation.
  case unknownOperation = 26
  /// The request makes no sense here (for example a lock level that cannot follow the held level).
  case misuse = 27
  /// The change was made, but its directory could not be made durable.
  case directorySyncFailed = 28
  /// The path leads through a link such as /proc/self/fd/3, which means another file to the
  /// sidecar than to its client.
  case magicLink = 29
  /// The WAL index can only be read, and no connection has set it up.
  case walIndexNotSetUp = 30
  /// SQLite refused; the slot's error number is its extended result code, and the payload has the
  /// message.
  case sqlError = 31
  /// EXCLUSIVE was refused, but the connection holds PENDING now, so no new reader can start.
  case busyPending = 32

  /// Not done, because the execution before it was not done.
  case skipped = 33
  /// No statement of this connection has that id (any more).
  case unknownStatement = 34
  /// Not even one row of cells fits into the payload range.
  case tooLittleRoom = 35
  /// A space of documents refused; the payload has the code and the message.
  case spaceError = 36

  /// The handshake: the protocol versions differ.
  case wrongVersion = 40
  /// The handshake: this user may not use this sidecar.
  case userRefused = 41
  /// The handshake: the message is malformed.
  case badHandshake = 42
  /// The handshake: no room for another session.
  case tooManySessions = 43

  public var isDone: Bool { rawValue < 16 }
}
