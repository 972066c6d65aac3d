// What a sidecar is told when it is started.

internal import SluiceSystem
public import SluiceWire

public struct SidecarConfiguration: Sendable {
  /// The directory that no client gets out of (zero-terminated); nil for the host's own paths.
  public var rootPath: [CChar]?
  /// The users that may connect. A socket that others than its owner may use is open to all in the
  /// file system, and the sidecar checks who comes.
  public var users: Set<UInt32> = [processIdentity().user]
  /// How long a lock is kept after its transaction unless a connection says otherwise.
  public var implicitLockMilliseconds = 0
  /// How much memory the read windows of all databases may take together, in bytes, if there is room;
  /// 0 for none, nil for a share of what there is (Sidecar+Memory).
  public var windowByteCountMaximum: Int?
  /// What its clients may do to save waiting; a connection can do without any of it.
  public var shortcuts: Shortcuts = .all
  /// A session's open files; fewer where the system lets this process open few.
  public var filesPerSessionMaximum = 4096
  /// A session's channels, its home channel among them: one session must not fill a reactor.
  public var channelsPerSessionMaximum = 64
  public var sessionsMaximum = 1024
  /// The sessions of one user; nil for an equal share of all.
  public var sessionsPerUser: Int?
  /// How many reactors share the sessions before one has to be full; nil for what suits the machine.
  public var reactorCount: Int?
  /// Whether files are only read.
  public var isReadOnly = false
  /// How many bytes the files beneath the root may have together; nil for any number. See Quota.
  public var quotaByteCount: Int64?
  /// What the sidecar's process gives up before it serves.
  public var confinement = Confinement.full
  /// How long a sidecar whose lifeline was cut goes on without any session, in milliseconds.
  public var linger = 0
  /// How much longer every sync takes: tests put a slow disk in the place of a fast one.
  public var syncDelayMilliseconds = 0

  public init(rootPath: [CChar]?) { self.rootPath = rootPath }

  var sessionsPerUserMaximum: Int {
    sessionsPerUser ?? max(1, sessionsMaximum / max(1, users.count))
  }
}
