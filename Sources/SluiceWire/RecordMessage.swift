// A message of a replicated value: what a store takes and a load gives. Headers and transactions are
// JSON texts that cross as the bytes that came.
//
//   u32 flags · id · [header] · u8 priority · u32 count of sessions
//   session: id · u64 after · last signature · u32 count of transactions · each transaction
//   [u32 count of counters · each: session id, u64 count]      with `hasExpectation`

/// How many transactions of a session are there.
public struct RecordCounter: Equatable, Sendable {
  public var session: [UInt8]
  public var count: UInt64

  public init(session: [UInt8], count: UInt64) {
    self.session = session
    self.count = count
  }
}

/// Transactions in their order, in one run of bytes. Each is a JSON text.
public struct RecordTransactions: Equatable, Sendable, RandomAccessCollection {
  private var bytes: [UInt8] = []
  private var ends: [Int] = []

  public init() {}

  public var startIndex: Int { 0 }
  public var endIndex: Int { ends.count }
  /// Of all of them together.
  public var byteCount: Int { bytes.count }

  public subscript(index: Int) -> ArraySlice<UInt8> {
    bytes[(index == 0 ? 0 : ends[index - 1])..<ends[index]]
  }

  public mutating func append(_ transaction: some Collection<UInt8>) {
    bytes.append(contentsOf: transaction)
    ends.append(bytes.count)
  }

  mutating func append(_ transaction: UnsafeRawBufferPointer) {
    unsafe bytes.append(contentsOf: transaction)
    ends.append(bytes.count)
  }

  mutating func reserve(_ count: Int) { ends.reserveCapacity(count) }
}

public struct RecordSessionContent: Equatable, Sendable {
  public var session: [UInt8]
  /// The index of the first transaction.
  public var after: UInt64
  public var transactions: RecordTransactions
  /// Covers the session up to the last of these transactions.
  public var lastSignature: [UInt8]

  public init(
    session: [UInt8], after: UInt64, transactions: RecordTransactions, lastSignature: [UInt8]
  ) {
    self.session = session
    self.after = after
    self.transactions = transactions
    self.lastSignature = lastSignature
  }
}

public struct RecordMessage: Equatable, Sendable {
  /// The value's id.
  public var id: [UInt8]
  /// JSON text.
  public var header: [UInt8]?
  /// 0 is the highest. A store does not read it.
  public var priority: UInt8 = 3
  /// In the order in which a store creates the sessions, and has created them.
  public var sessions: [RecordSessionContent] = []
  /// In the first of several messages of a load: how far all of them together go.
  public var expectContentUntil: [RecordCounter]?

  public init(id: [UInt8], header: [UInt8]? = nil, sessions: [RecordSessionContent] = []) {
    self.id = id
    self.header = header
    self.sessions = sessions
  }
}

public struct RecordMessageFlags: OptionSet, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static let hasHeader = RecordMessageFlags(rawValue: 1)
  public static let hasExpectation = RecordMessageFlags(rawValue: 2)
  /// The client allows that the value is deleted: a delete session in the message queues it.
  public static let deleteIsValid = RecordMessageFlags(rawValue: 4)
  static let all: RecordMessageFlags = [.hasHeader, .hasExpectation, .deleteIsValid]
}

/// The least bytes of a session, of a transaction, and of a counter.
private let sessionByteCountMinimum = 20
private let transactionByteCountMinimum = 4
private let counterByteCountMinimum = 12

extension RecordMessage {
  /// How many bytes `write` writes.
  public var byteCount: Int {
    var count = 4 + 4 + id.count + 1 + 4
    if let header { count += 4 + header.count }
    for session in sessions {
      count += sessionByteCountMinimum + session.session.count + session.lastSignature.count
      count += session.transactions.byteCount
      count += session.transactions.count * transactionByteCountMinimum
    }
    if let expectContentUntil {
      count += 4
      for counter in expectContentUntil { count += counterByteCountMinimum + counter.session.count }
    }
    return count
  }

  public func write(to writer: inout RecordByteWriter, deleteIsValid: Bool = false) {
    var flags: RecordMessageFlags = deleteIsValid ? .deleteIsValid : []
    if header != nil { flags.insert(.hasHeader) }
    if expectContentUntil != nil { flags.insert(.hasExpectation) }
    writer.number(flags.rawValue)
    writer.string(id)
    if let header { writer.string(header) }
    writer.number(priority)
    writer.number(UInt32(sessions.count))
    for session in sessions {
      writer.string(session.session)
      writer.number(session.after)
      writer.string(session.lastSignature)
      writer.number(UInt32(session.transactions.count))
      for transaction in session.transactions { writer.string(transaction) }
    }
    if let expectContentUntil { writer.counters(expectContentUntil) }
  }

  /// Reads what `write` wrote.
  public init(from reader: inout RecordByteReader) throws(WireError) {
    let flags = RecordMessageFlags(rawValue: try reader.number(UInt32.self))
    guard flags.isSubset(of: .all) else { throw .outOfRange }
    self.init(id: unsafe Array(try reader.string()))
    if flags.contains(.hasHeader) { header = unsafe Array(try reader.string()) }
    priority = try reader.number(UInt8.self)
    let count = try reader.count(ofItems: sessionByteCountMinimum)
    sessions.reserveCapacity(count)
    for _ in 0..<count {
      let session = unsafe Array(try reader.string())
      let after = try reader.number(UInt64.self)
      let signature = unsafe Array(try reader.string())
      var transactions = RecordTransactions()
      let transactionCount = try reader.count(ofItems: transactionByteCountMinimum)
      transactions.reserve(transactionCount)
      for _ in 0..<transactionCount { unsafe transactions.append(try reader.string()) }
      sessions.append(
        RecordSessionContent(
          session: session, after: after, transactions: transactions, lastSignature: signature))
    }
    if flags.contains(.hasExpectation) { expectContentUntil = try reader.counters() }
  }
}

extension RecordByteWriter {
  public mutating func counters(_ counters: [RecordCounter]) {
    number(UInt32(counters.count))
    for counter in counters {
      string(counter.session)
      number(counter.count)
    }
  }
}

extension RecordByteReader {
  public mutating func counters() throws(WireError) -> [RecordCounter] {
    let count = try count(ofItems: counterByteCountMinimum)
    var counters: [RecordCounter] = []
    counters.reserveCapacity(count)
    for _ in 0..<count {
      let session = unsafe Array(try string())
      counters.append(RecordCounter(session: session, count: try number(UInt64.self)))
    }
    return counters
  }
}
