// The arguments of the file operations. Paths are bytes without a zero, as the kernel takes them.
// Offsets and sizes are in bytes.

/// No arguments at all.
public struct NoFields: Message {
  public init() {}
  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {}
}

/// SQLite's use of a file.
public enum FileKind: UInt64, CaseIterable, Sendable {
  case mainDatabase = 1
  case mainJournal = 2
  case wal = 3
  case superJournal = 4
  /// Temporary databases and journals, sorter files, statement journals.
  case temporary = 5

  /// Whether the directory entry must be made durable with the file's first sync.
  public var isJournal: Bool {
    switch self {
    case .mainJournal, .wal, .superJournal: true
    case .mainDatabase, .temporary: false
    }
  }
}

public struct OpenOptions: OptionSet, Equatable, Sendable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  public static let readWrite = OpenOptions(rawValue: 1)
  public static let create = OpenOptions(rawValue: 2)
  /// With `create`: the file must not exist.
  public static let exclusive = OpenOptions(rawValue: 4)
  /// The name is removed at once, the file when it is closed.
  public static let deleteOnClose = OpenOptions(rawValue: 8)
  /// A database that is not open anywhere is deleted first, with its journal, WAL and shm.
  public static let deleteBeforeOpen = OpenOptions(rawValue: 16)
  /// No lock is kept after its transaction, whatever the sidecar's default.
  public static let unlockAsSoonAsPossible = OpenOptions(rawValue: 32)

  /// Locks may stand in the channel. A channel has the standing locks of one file; the home channel
  /// has none.
  public static let standingLocks = OpenOptions(rawValue: 64)

  static let known = OpenOptions(rawValue: 127)
}

public struct OpenRequest: Message {
  /// `nil` for a temporary file without a name.
  public var path: [UInt8]?
  public var kind = FileKind.mainDatabase
  public var options: OpenOptions = []
  /// How long a lock is kept after its transaction; -1 for the sidecar's default.
  public var implicitLockMilliseconds: Int64 = -1
  /// The permissions that a new file does not get, as in umask(2).
  public var umask: UInt64 = 0o077

  public init() {}
  public init(
    path: [UInt8]?, kind: FileKind, options: OpenOptions, implicitLockMilliseconds: Int64 = -1,
    umask: UInt64 = 0o077
  ) {
    self.path = path
    self.kind = kind
    self.options = options
    self.implicitLockMilliseconds = implicitLockMilliseconds
    self.umask = umask
  }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.optionalBytes(&path)
    try coder.choice(&kind)
    var bits = options.rawValue
    try coder.unsigned(&bits)
    options = OpenOptions(rawValue: bits)
    guard options.isSubset(of: .known) else { throw .outOfRange }
    try coder.bigint(&implicitLockMilliseconds)
    guard (-1...3_600_000).contains(implicitLockMilliseconds) else { throw .outOfRange }
    try coder.unsigned(&umask)
    guard umask <= 0o777 else { throw .outOfRange }
  }
}

/// The identity of a file, whatever its name. Valid while the file is open somewhere: once the file
/// is gone, another file may get its numbers.
public struct FileIdentity: Hashable, Sendable {
  public var device: UInt64 = 0
  public var inode: UInt64 = 0

  public init() {}
  public init(device: UInt64, inode: UInt64) {
    self.device = device
    self.inode = inode
  }
}

public struct OpenReply: Message {
  public var file: UInt64 = 0
  /// False if only reading was allowed.
  public var isWritable = false
  public var identity = FileIdentity()
  /// For a database: a value that tells it from any file that has the same numbers at another time.
  /// 0 if no such value is known.
  public var origin: UInt64 = 0
  /// For a database: whether one kernel sees every program that opens it.
  public var isLocal = false

  public init() {}
  public init(
    file: UInt64, isWritable: Bool, identity: FileIdentity, origin: UInt64, isLocal: Bool
  ) {
    self.file = file
    self.isWritable = isWritable
    self.identity = identity
    self.origin = origin
    self.isLocal = isLocal
  }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.unsigned(&file)
    try coder.boolean(&isWritable)
    try coder.unsigned(&identity.device)
    try coder.unsigned(&identity.inode)
    try coder.unsigned(&origin)
    try coder.boolean(&isLocal)
  }
}

/// A path only: the request of `fullPathname` and its reply.
public struct PathFields: Message {
  public var path: [UInt8] = []

  public init() {}
  public init(path: [UInt8]) { self.path = path }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.bytes(&path)
  }
}

public struct DeleteRequest: Message {
  public var path: [UInt8] = []
  /// Make the removal durable before the reply.
  public var syncDirectory = false

  public init() {}
  public init(path: [UInt8], syncDirectory: Bool) {
    self.path = path
    self.syncDirectory = syncDirectory
  }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.bytes(&path)
    try coder.boolean(&syncDirectory)
  }
}

public enum AccessMode: UInt64, CaseIterable, Sendable {
  /// The file exists, and is not an empty regular file (which SQLite does not take for a journal).
  case exists = 0
  case read = 1
  case readWrite = 2
}

public struct AccessRequest: Message {
  public var path: [UInt8] = []
  public var mode = AccessMode.exists

  public init() {}
  public init(path: [UInt8], mode: AccessMode) {
    self.path = path
    self.mode = mode
  }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.bytes(&path)
    try coder.choice(&mode)
  }
}

/// A yes or no: the reply of `access` and of `checkReservedLock`.
public struct AnswerReply: Message {
  public var answer = false

  public init() {}
  public init(answer: Bool) { self.answer = answer }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.boolean(&answer)
  }
}

/// A position in a file, or its size, in bytes: the request of `read`, `write` and `truncate` and
/// the reply of `fileSize`.
public struct OffsetFields: Message {
  public var offset: Int64 = 0

  public init() {}
  public init(offset: Int64) { self.offset = offset }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.bigint(&offset)
    guard offset >= 0 else { throw .outOfRange }
  }
}

/// The five levels of SQLite's file locks.
public enum LockLevel: UInt64, CaseIterable, Comparable, Sendable {
  case none = 0
  case shared = 1
  case reserved = 2
  case pending = 3
  case exclusive = 4

  public static func < (a: LockLevel, b: LockLevel) -> Bool { a.rawValue < b.rawValue }
}

/// The request of `lock` and `unlock`.
public struct LockFields: Message {
  public var level = LockLevel.none

  public init() {}
  public init(level: LockLevel) { self.level = level }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.choice(&level)
  }
}

/// The locks of a WAL index, eight of them, as SQLite's wal.c uses them.
public enum WALLockKind: UInt64, CaseIterable, Sendable {
  case unlock = 0
  case shared = 1
  case exclusive = 2
}

public struct WALIndexMapRequest: Message {
  /// The size that the index must have for the part that the client wants to map, in bytes.
  public var byteCount: Int64 = 0
  /// Whether to extend the index to this size.
  public var extends = false
  /// Whether reading is enough for the client.
  public var isReadOnly = false
  /// Whether the client has no descriptor of the index yet.
  public var wantsDescriptor = false

  public init() {}
  public init(byteCount: Int64, extends: Bool, isReadOnly: Bool, wantsDescriptor: Bool) {
    self.byteCount = byteCount
    self.extends = extends
    self.isReadOnly = isReadOnly
    self.wantsDescriptor = wantsDescriptor
  }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.bigint(&byteCount)
    guard (0...1 << 40).contains(byteCount) else { throw .outOfRange }
    try coder.boolean(&extends)
    try coder.boolean(&isReadOnly)
    try coder.boolean(&wantsDescriptor)
  }
}

public struct WALIndexMapReply: Message {
  /// The size of the index, in bytes.
  public var offset: Int64 = 0
  /// The numbers of the index's file, as in fstat. A client that has a descriptor of this file
  /// needs no other.
  public var device: UInt64 = 0
  public var inode: UInt64 = 0

  public init() {}
  public init(offset: Int64, device: UInt64, inode: UInt64) {
    self.offset = offset
    self.device = device
    self.inode = inode
  }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.bigint(&offset)
    guard offset >= 0 else { throw .outOfRange }
    try coder.unsigned(&device)
    try coder.unsigned(&inode)
  }
}

public struct WALIndexLockRequest: Message {
  public var first: UInt64 = 0
  public var count: UInt64 = 1
  public var kind = WALLockKind.unlock

  public init() {}
  public init(first: UInt64, count: UInt64, kind: WALLockKind) {
    self.first = first
    self.count = count
    self.kind = kind
  }

  public static let lockCount: UInt64 = 8

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.unsigned(&first)
    try coder.unsigned(&count)
    guard first < Self.lockCount, count >= 1, count <= Self.lockCount - first else {
      throw .outOfRange
    }
    try coder.choice(&kind)
  }
}

public struct WALIndexUnmapRequest: Message {
  /// Whether to remove the file if no other client uses it.
  public var deletes = false

  public init() {}
  public init(deletes: Bool) { self.deletes = deletes }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.boolean(&deletes)
  }
}

/// The number of a channel within its session: the reply of `channelOpen` and the request of
/// `channelClose`.
public struct ChannelFields: Message {
  public var channel: UInt64 = 0

  public init() {}
  public init(channel: UInt64) { self.channel = channel }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.unsigned(&channel)
    guard channel <= UInt64(UInt32.max) else { throw .outOfRange }
  }
}
