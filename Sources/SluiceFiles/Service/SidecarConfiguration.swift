// What a sidecar for files is told when it is started.

public import SluiceServer
public import SluiceWire

public struct SidecarConfiguration: Sendable {
  /// The directory that no client gets out of (zero-terminated); nil for the host's own paths.
  public var rootPath: [CChar]?
  /// Directories of the host that are served besides, by the host's own names.
  public var alsoDirectories: [AlsoDirectory] = []
  /// Who may connect, and how often.
  package var server = ServerConfiguration()
  /// How long a lock is kept after its transaction unless a connection says otherwise.
  public var implicitLockMilliseconds = 0
  /// How much memory the read windows of all databases may take together, in bytes, if there is
  /// room; 0 for none, nil for a share of what there is (Sidecar+Memory).
  public var windowByteCountMaximum: Int?
  /// What its clients may do to save waiting. A connection can do without any of it.
  public var shortcuts: Shortcuts = .all
  /// A session's open files; fewer where the system lets this process open few.
  public var filesPerSessionMaximum = 4096
  /// How long a database stays open after its last close; 0 for not at all. See FileTable.
  public var keepOpenMilliseconds = 1000
  /// How many reactors share the sessions before one is full; nil for a number that suits the
  /// machine.
  public var reactorCount: Int?
  /// Whether files are only read, in the also-directories too.
  public var isReadOnly = false
  /// How many bytes the files beneath the root may have together; nil for any number. See Quota.
  public var quotaByteCount: Int64?
  /// What the sidecar's process gives up before it serves.
  public var confinement = Confinement.full
  /// How much longer every sync takes: tests put a slow disk in the place of a fast one.
  public var syncDelayMilliseconds = 0
  var syncDelayNanoseconds: Int64 { Int64(syncDelayMilliseconds) * 1_000_000 }
  /// Whether it serves one client only, which has started it.
  var isPrivate = false

  public init(rootPath: [CChar]?) { self.rootPath = rootPath }
}

/// A directory of the host that a sidecar with a root serves besides, by the host's own names.
public struct AlsoDirectory: Sendable {
  /// Zero-terminated.
  public var path: [CChar]
  public var isReadOnly: Bool

  public init(path: [CChar], isReadOnly: Bool) {
    self.path = path
    self.isReadOnly = isReadOnly
  }
}
