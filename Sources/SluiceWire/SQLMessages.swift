// The arguments of the SQL operations. What is hot is not here: statements, parameters and rows are
// cells in the payload (SQLCells.swift).

/// What `sqlOpen` does if the database is there, or is not.
public enum SQLOpenMode: UInt64, CaseIterable, Sendable {
  /// Open it; an error if it is absent.
  case open = 0
  /// Create it; an error if it is there.
  case create = 1
  /// Open it, or create it.
  case either = 2
}

public struct SQLOpenOptions: OptionSet, Sendable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// The connection changes nothing.
  public static let readOnly = SQLOpenOptions(rawValue: 1)
  /// The new database begins as the image that was sent as parameter 0.
  public static let seeded = SQLOpenOptions(rawValue: 2)
  /// The database has the state pipeline; a new one gets its tables.
  public static let state = SQLOpenOptions(rawValue: 4)
  static let all: SQLOpenOptions = [.readOnly, .seeded, .state]
}

public struct SQLOpenRequest: Message {
  /// Relative to the engine's root; ":memory:" for a database in the engine's memory.
  public var path: [UInt8] = []
  public var mode = SQLOpenMode.open
  public var options: SQLOpenOptions = []
  /// How long a statement waits for locks of others.
  public var busyMilliseconds: Int64 = 0

  public init() {}
  public init(
    path: [UInt8], mode: SQLOpenMode, options: SQLOpenOptions, busyMilliseconds: Int64
  ) {
    self.path = path
    self.mode = mode
    self.options = options
    self.busyMilliseconds = busyMilliseconds
  }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.bytes(&path)
    try coder.choice(&mode)
    var raw = options.rawValue
    try coder.unsigned(&raw)
    options = SQLOpenOptions(rawValue: raw)
    guard options.isSubset(of: .all) else { throw .outOfRange }
    try coder.bigint(&busyMilliseconds)
    guard (0...3_600_000).contains(busyMilliseconds) else { throw .outOfRange }
  }
}

public struct SQLOpenReply: Message {
  /// SQLite's version, as in 3040001 for 3.40.1.
  public var sqliteVersion: UInt64 = 0
  /// No bit has a meaning yet.
  public var capabilities: UInt64 = 0

  public init() {}
  public init(sqliteVersion: UInt64, capabilities: UInt64) {
    self.sqliteVersion = sqliteVersion
    self.capabilities = capabilities
  }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.unsigned(&sqliteVersion)
    try coder.unsigned(&capabilities)
  }
}

/// Which bytes of which value of the statement's present row.
public struct SQLValueReadRequest: Message {
  public var column: UInt64 = 0
  public var offset: Int64 = 0

  public init() {}
  public init(column: UInt64, offset: Int64) {
    self.column = column
    self.offset = offset
  }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.unsigned(&column)
    try coder.bigint(&offset)
    guard column < 1 << 16, offset >= 0 else { throw .outOfRange }
  }
}

/// Where the payload's bytes belong in a value that a later execution names as far.
public struct SQLValueWriteRequest: Message {
  /// The parameter's number, from 1; 0 for the image of a database.
  public var parameter: UInt64 = 0
  /// The number that stands for the SQL itself.
  public static let sqlText: UInt64 = 0xffff
  public var offset: Int64 = 0
  /// Of the whole value.
  public var byteCount: Int64 = 0

  public init() {}
  public init(parameter: UInt64, offset: Int64, byteCount: Int64) {
    self.parameter = parameter
    self.offset = offset
    self.byteCount = byteCount
  }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.unsigned(&parameter)
    try coder.bigint(&offset)
    try coder.bigint(&byteCount)
    guard parameter < 1 << 16, offset >= 0, byteCount >= offset else { throw .outOfRange }
  }
}

/// Which commit of the state the client has seen, and how long it waits for another.
public struct SQLChangesRequest: Message {
  /// 0 for none.
  public var number: Int64 = 0
  public var milliseconds: Int64 = 0

  public init() {}
  public init(number: Int64, milliseconds: Int64) {
    self.number = number
    self.milliseconds = milliseconds
  }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.bigint(&number)
    try coder.bigint(&milliseconds)
    guard number >= 0, (0...3_600_000).contains(milliseconds) else { throw .outOfRange }
  }
}

public struct SQLChangesReply: Message {
  /// The last commit's.
  public var number: Int64 = 0

  public init() {}
  public init(number: Int64) { self.number = number }

  public mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.bigint(&number)
    guard number >= 0 else { throw .outOfRange }
  }
}
