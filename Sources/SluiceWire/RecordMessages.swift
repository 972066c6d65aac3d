// The arguments of the record operations. Messages, known states and lists of ids are bytes in the
// payload (RecordBytes.swift, RecordMessage.swift).

/// When a store counts as done.
public enum RecordDurability: UInt64, CaseIterable, Sendable {
  /// It outlives the processes; the machine's loss of power may take the last stores.
  case normal = 0
  /// It outlives the machine's loss of power.
  case full = 1
}

public struct RecordsOpenRequest: Message {
  /// Relative to the engine's root; ":memory:" for a store in the engine's memory.
  public var path: [UInt8] = []
  public var mode = SQLOpenMode.either
  public var durability = RecordDurability.normal
  /// How long a store waits for locks of other processes.
  public var busyMilliseconds: Int64 = 0
  /// The size of transactions (UTF-16 code units) behind which a signature is kept.
  public var signatureInterval: UInt64 = Self.signatureIntervalDefault

  public static let signatureIntervalDefault: UInt64 = 100 * 1024
  public static let signatureIntervalMaximum: UInt64 = 1 << 31

  public init() {}
  public init(
    path: [UInt8], mode: SQLOpenMode, durability: RecordDurability, busyMilliseconds: Int64,
    signatureInterval: UInt64
  ) {
    self.path = path
    self.mode = mode
    self.durability = durability
    self.busyMilliseconds = busyMilliseconds
    self.signatureInterval = signatureInterval
  }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.bytes(&path)
    try coder.choice(&mode)
    try coder.choice(&durability)
    try coder.bigint(&busyMilliseconds)
    try coder.unsigned(&signatureInterval)
    guard (0...3_600_000).contains(busyMilliseconds),
      signatureInterval <= Self.signatureIntervalMaximum
    else { throw .outOfRange }
  }
}

public struct RecordsOpenReply: Message {
  /// What is kept.
  public var durability = RecordDurability.normal
  /// Of the store's tables.
  public var schemaVersion: UInt64 = 0

  public init() {}
  public init(durability: RecordDurability, schemaVersion: UInt64) {
    self.durability = durability
    self.schemaVersion = schemaVersion
  }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.choice(&durability)
    try coder.unsigned(&schemaVersion)
  }
}

/// Where a piece of a store's messages belongs that do not fit into one request.
public struct RecordsStageRequest: Message {
  public var offset: Int64 = 0
  /// Of all pieces together.
  public var byteCount: Int64 = 0

  public init() {}
  public init(offset: Int64, byteCount: Int64) {
    self.offset = offset
    self.byteCount = byteCount
  }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.bigint(&offset)
    try coder.bigint(&byteCount)
    guard offset >= 0, byteCount >= offset else { throw .outOfRange }
  }
}

public struct RecordsStoreRequest: Message {
  public var messageCount: UInt64 = 1
  /// Of the messages in the payload; 0 if they were staged.
  public var byteCount: UInt64 = 0
  /// Skip all of them if the store before this one stopped early.
  public var isChained = false

  public init() {}
  public init(messageCount: UInt64, byteCount: UInt64, isChained: Bool) {
    self.messageCount = messageCount
    self.byteCount = byteCount
    self.isChained = isChained
  }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.unsigned(&messageCount)
    try coder.unsigned(&byteCount)
    try coder.boolean(&isChained)
    guard (1...65_536).contains(messageCount), byteCount <= 1 << 16 else { throw .outOfRange }
  }
}

/// What became of a message. The first that is not stored ends its request.
public enum RecordStoreOutcome: UInt8, CaseIterable, Sendable {
  case stored = 0
  /// The value is not in the store, and the message has no header.
  case noHeader = 1
  /// Sessions begin behind what is stored of them. The message's other sessions are stored.
  case gaps = 2
  /// The message cannot be stored; a text says why. Nothing of it is.
  case refused = 3
}

/// A value by its id.
public struct RecordIDRequest: Message {
  public var id: [UInt8] = []

  public init() {}
  public init(id: [UInt8]) { self.id = id }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.bytes(&id)
  }
}

public struct RecordsLoadRequest: Message {
  /// By which the frames of the answer name the load.
  public var number: UInt64 = 0
  public var id: [UInt8] = []

  public init() {}
  public init(number: UInt64, id: [UInt8]) {
    self.number = number
    self.id = id
  }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.unsigned(&number)
    try coder.bytes(&id)
    guard number < 1 << 32 else { throw .outOfRange }
  }
}

/// What a frame of a load's answer is.
public enum RecordFrameKind: UInt8, CaseIterable, Sendable {
  /// A message follows, of the value or of one on which it depends.
  case message = 0
  /// The value's last message was sent.
  case found = 1
  case notFound = 2
  /// A text follows. No further message comes.
  case failed = 3
}

/// A list that is read page by page: where this page begins.
public struct RecordsPageRequest: Message {
  /// The last item of the page before it; empty for the first page.
  public var after: [UInt8] = []
  /// The number of the last item before the page.
  public var offset: UInt64 = 0
  /// The most items.
  public var limit: UInt64 = 0

  public init() {}
  public init(after: [UInt8] = [], offset: UInt64 = 0, limit: UInt64 = .max) {
    self.after = after
    self.offset = offset
    self.limit = limit
  }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.bytes(&after)
    try coder.unsigned(&offset)
    try coder.unsigned(&limit)
  }
}

public struct RecordsPageReply: Message {
  public var itemCount: UInt64 = 0
  /// Whether more items follow.
  public var hasMore = false
  /// The offset of the next page.
  public var nextOffset: UInt64 = 0

  public init() {}
  public init(itemCount: UInt64, hasMore: Bool, nextOffset: UInt64 = 0) {
    self.itemCount = itemCount
    self.hasMore = hasMore
    self.nextOffset = nextOffset
  }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.unsigned(&itemCount)
    try coder.boolean(&hasMore)
    try coder.unsigned(&nextOffset)
  }
}

public struct RecordsNumberReply: Message {
  public var number: UInt64 = 0

  public init() {}
  public init(number: UInt64) { self.number = number }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.unsigned(&number)
  }
}

public enum RecordsErasureAction: UInt64, CaseIterable, Sendable {
  /// The store erases deleted values of its own accord from now on.
  case enable = 0
  /// A value was marked as deleted: erase soon, if enabled.
  case marked = 1
  /// Erase all that wait, now. A load or store of this client ends it early.
  case all = 2
}

public struct RecordsErasureRequest: Message {
  public var action = RecordsErasureAction.enable

  public init() {}
  public init(action: RecordsErasureAction) { self.action = action }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.choice(&action)
  }
}

public enum RecordsLockAction: UInt64, CaseIterable, Sendable {
  case acquire = 0
  case renew = 1
  case release = 2
}

/// The lock of the reconciliation with a peer.
public struct RecordsLockRequest: Message {
  public var action = RecordsLockAction.acquire
  public var peer: [UInt8] = []
  public var holder: [UInt8] = []
  /// How far the holder is, with `renew`.
  public var offset: UInt64 = 0

  public init() {}
  public init(action: RecordsLockAction, peer: [UInt8], holder: [UInt8], offset: UInt64 = 0) {
    self.action = action
    self.peer = peer
    self.holder = holder
    self.offset = offset
  }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.choice(&action)
    try coder.bytes(&peer)
    try coder.bytes(&holder)
    try coder.unsigned(&offset)
  }
}

public enum RecordsLockOutcome: UInt64, CaseIterable, Sendable {
  /// Done. An acquired lock's offset tells where to go on.
  case done = 0
  /// Released too short a time ago.
  case notDue = 1
  /// Another holds it.
  case held = 2
  /// Renew or release by one who does not hold it.
  case notHolder = 3
}

public struct RecordsLockReply: Message {
  public var outcome = RecordsLockOutcome.done
  public var offset: UInt64 = 0

  public init() {}
  public init(outcome: RecordsLockOutcome, offset: UInt64 = 0) {
    self.outcome = outcome
    self.offset = offset
  }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.choice(&outcome)
    try coder.unsigned(&offset)
  }
}

/// How much of a value is stored, page by page.
public struct RecordsKnownStateRequest: Message {
  public var id: [UInt8] = []
  /// How many sessions the pages before this one had.
  public var offset: UInt64 = 0

  public init() {}
  public init(id: [UInt8], offset: UInt64) {
    self.id = id
    self.offset = offset
  }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.bytes(&id)
    try coder.unsigned(&offset)
  }
}

public enum RecordsImportAction: UInt64, CaseIterable, Sendable {
  case begin = 0
  case commit = 1
  case giveUp = 2
}

public struct RecordsImportRequest: Message {
  public var action = RecordsImportAction.begin

  public init() {}
  public init(action: RecordsImportAction) { self.action = action }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.choice(&action)
  }
}
