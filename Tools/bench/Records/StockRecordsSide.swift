// The storage algorithm of the original in the caller's own process, on SQLite with statements that
// are compiled once: the base of `sluice-bench records`. The value's row is made first, then each
// session has a transaction of its own. It gets transactions as texts with their sizes, which a
// program in JavaScript has to make from its objects.
//
// Dependencies are not looked for: the loaded values have none.

internal import CSQLite
internal import CSluice
internal import SluiceRecords
internal import ToolSupport

@safe
struct StockRecordsSide: RecordsSide {
  private let base: StockRecordsDatabase
  /// What is stored of each value, as the original keeps it for its caller.
  private var known: [[UInt8]: [[UInt8]: Int64]] = [:]
  private var inMemory: Set<[UInt8]> = []

  private static let signatureInterval: Int64 = 102_400

  init(_ path: String, durability: RecordDurability) throws(ToolError) {
    base = try StockRecordsDatabase(path, durability: durability)
  }

  /// A message whose texts stay where they are.
  struct Message {
    struct Session {
      let id: [UInt8]
      let idText: StockText
      let after: Int64
      let transactions: [StockText]
      let sizes: [Int64]
      let signature: StockText
    }

    let id: [UInt8]
    let idText: StockText
    let header: StockText?
    let sessions: [Session]
  }

  func prepare(_ message: RecordMessage) -> Message {
    Message(
      id: message.id, idText: StockText(message.id), header: message.header.map { StockText($0) },
      sessions: message.sessions.map { session in
        Message.Session(
          id: session.session, idText: StockText(session.session), after: Int64(session.after),
          transactions: session.transactions.map { StockText($0) },
          sizes: session.transactions.map { RecordsWork.size(ofTransaction: $0) },
          signature: StockText(session.lastSignature))
      })
  }

  // MARK: Storing

  mutating func storeAll(_ messages: [Message]) throws(ToolError) {
    for message in messages { try store(message) }
  }

  mutating func store(_ message: Message) throws(ToolError) {
    guard let row = try base.row(of: message.idText, header: message.header) else {
      throw .failed("a value is missing")
    }
    for session in message.sessions {
      try base.begin()
      known[message.id, default: [:]][session.id] = try store(session, of: row)
      try base.commit()
    }
    inMemory.insert(message.id)
  }

  private func store(_ session: Message.Session, of row: Int64) throws(ToolError) -> Int64 {
    let stored = try base.session(session.idText, of: row)
    let count = stored?.count ?? 0
    guard count >= session.after else { throw .failed("transactions are missing") }
    let first = Int(count - session.after)
    guard first < session.transactions.count else { return count }
    var size = stored?.size ?? 0
    for index in first..<session.transactions.count { size += session.sizes[index] }
    let keepsSignature = size > Self.signatureInterval
    let newCount = session.after + Int64(session.transactions.count)
    let sessionRow = try base.put(
      session.idText, of: row, count: newCount, session.signature,
      size: keepsSignature ? 0 : size)
    if keepsSignature {
      try base.addSignature(session.signature, at: newCount - 1, to: sessionRow)
    }
    for index in first..<session.transactions.count {
      try base.addTransaction(
        session.transactions[index], at: session.after + Int64(index), to: sessionRow)
    }
    return newCount
  }

  // MARK: Loading

  mutating func load(_ id: [UInt8], parsed: Bool) throws(ToolError) -> Int {
    var taken = LoadedTransactions(isParsed: parsed)
    guard let value = try base.value(id) else { throw .failed("a value is missing") }
    inMemory.insert(id)
    for session in try base.sessions(of: value.row) {
      known[id, default: [:]][session.id] = session.count
      var first: Int64 = 0
      for (last, signature) in try base.signatures(of: session.row) {
        try load(session, first, last, signature, id, value.header, &taken)
        first = last + 1
      }
      if first < session.count {
        try load(session, first, session.count - 1, session.signature, id, value.header, &taken)
      }
    }
    return taken.count
  }

  /// Loads a piece, and makes the message of it.
  private func load(
    _ session: StockRecordsDatabase.Session, _ first: Int64, _ last: Int64,
    _ signature: [UInt8], _ id: [UInt8], _ header: [UInt8], _ taken: inout LoadedTransactions
  ) throws(ToolError) {
    var content = RecordSessionContent(
      session: session.id, after: UInt64(first), transactions: RecordTransactions(),
      lastSignature: signature)
    try unsafe base.transactions(of: session.row, first, last) { text in
      if taken.isParsed {
        unsafe taken.parse(text)
      } else {
        unsafe content.transactions.append(text)
      }
    }
    taken.take(RecordMessage(id: id, header: header, sessions: [content]))
  }
}

/// A text that stays where it is.
@safe
struct StockText {
  let start: UnsafeRawPointer
  let byteCount: Int32

  init(_ bytes: some Collection<UInt8>) {
    let room = UnsafeMutableRawBufferPointer.allocate(
      byteCount: Swift.max(1, bytes.count), alignment: 1)
    unsafe room.copyBytes(from: bytes)
    unsafe start = UnsafeRawPointer(room.baseAddress!)
    byteCount = Int32(bytes.count)
  }
}

/// What a load has given, as a program would have it.
struct LoadedTransactions {
  let isParsed: Bool
  private(set) var count = 0
  private var messages: [RecordMessage] = []
  private var values: [ParsedJSON] = []

  init(isParsed: Bool) { self.isParsed = isParsed }

  mutating func parse(_ text: UnsafeBufferPointer<UInt8>) {
    values.append(unsafe ParsedJSON(parsing: text))
    count += 1
  }

  mutating func take(_ message: RecordMessage) {
    for session in message.sessions { count += session.transactions.count }
    messages.append(message)
  }

  /// Parses the transactions of a message, which is not kept.
  mutating func takeParsed(_ message: RecordMessage) {
    for session in message.sessions {
      for transaction in session.transactions {
        unsafe transaction.withUnsafeBufferPointer { unsafe parse($0) }
      }
    }
  }
}
