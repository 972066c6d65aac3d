// The keys and values of a record store's partitions, as bytes. Numbers are big-endian, so that the
// order of keys is that of numbers. The format is that of the fjall branch of the original, and a
// part of Protocol/RECORDS.md.

internal import CEngine

enum RecordKeys {
  static func number(_ value: UInt64) -> [UInt8] {
    unsafe withUnsafeBytes(of: value.bigEndian) { unsafe Array($0) }
  }

  static func number32(_ value: UInt32) -> [UInt8] {
    unsafe withUnsafeBytes(of: value.bigEndian) { unsafe Array($0) }
  }

  /// A session's transaction or signature.
  static func item(_ session: UInt64, _ index: UInt32) -> [UInt8] {
    number(session) + number32(index)
  }

  /// A session's items from `first` up to, and without, `end`.
  static func items(_ session: UInt64, from first: UInt32, to end: UInt64) -> KeyRange {
    let last = UInt32(exactly: end)
    return KeyRange(
      from: item(session, first), to: last.map { item(session, $0) } ?? number(session &+ 1))
  }

  /// Ids have no zero byte, so the first one ends the id.
  static func peer(_ id: [UInt8], _ peer: [UInt8]) -> [UInt8] { id + [0] + peer }

  static let nextCoValueRow = Array("next_covalue_row_id".utf8)
  static let nextSessionRow = Array("next_session_row_id".utf8)
  static func lock(_ peer: [UInt8]) -> [UInt8] { Array("lock#".utf8) + peer }
}

/// Reads numbers at the start of a key or value.
struct StoredBytes {
  private var rest: ArraySlice<UInt8>

  init(_ bytes: some Collection<UInt8>) { rest = ArraySlice(bytes) }

  var remainder: [UInt8] { Array(rest) }

  mutating func number<T: FixedWidthInteger & UnsignedInteger>(_: T.Type) throws(DatabaseError) -> T
  {
    let count = MemoryLayout<T>.size
    guard rest.count >= count else { throw .damagedStore("a number is cut short") }
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count).reduce(0) { $0 << 8 | T($1) }
  }
}

struct StoredCoValue: Equatable {
  var row: UInt64
  /// JSON text.
  var header: [UInt8]

  init(row: UInt64, header: [UInt8]) {
    self.row = row
    self.header = header
  }

  init(_ value: [UInt8]) throws(DatabaseError) {
    var bytes = StoredBytes(value)
    row = try bytes.number(UInt64.self)
    header = bytes.remainder
  }

  var bytes: [UInt8] { RecordKeys.number(row) + header }
}

struct StoredSession: Equatable {
  var row: UInt64
  /// How many transactions there are.
  var count: UInt32
  /// The size of the transactions behind the last kept signature, in UTF-16 code units.
  var sizeSinceSignature: UInt32
  var lastSignature: [UInt8]

  init(row: UInt64, count: UInt32, sizeSinceSignature: UInt32, lastSignature: [UInt8]) {
    self.row = row
    self.count = count
    self.sizeSinceSignature = sizeSinceSignature
    self.lastSignature = lastSignature
  }

  init(_ value: some Collection<UInt8>) throws(DatabaseError) {
    var bytes = StoredBytes(value)
    row = try bytes.number(UInt64.self)
    count = try bytes.number(UInt32.self)
    sizeSinceSignature = try bytes.number(UInt32.self)
    lastSignature = bytes.remainder
  }

  var bytes: [UInt8] {
    RecordKeys.number(row) + RecordKeys.number32(count) + RecordKeys.number32(sizeSinceSignature)
      + lastSignature
  }
}

/// A session with its id.
struct NamedSession: Equatable {
  var id: [UInt8]
  var stored: StoredSession
}

extension DatabaseError {
  static func damagedStore(_ what: String) -> DatabaseError {
    DatabaseError(
      SQLITE_CORRUPT, "the record store is damaged: \(what); 'sluice records … verify' tells more")
  }
}
