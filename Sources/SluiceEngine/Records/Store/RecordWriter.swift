// Stores a message: one atomic unit of all its sessions. First it is planned, which finds every
// flaw, then written. A flaw refuses the message, and nothing of it is stored.
//
// The rules are those of the original (Protocol/RECORDS.md): transactions are stored from the
// session's count on, those before it are dropped unread, and of one batch the last transaction
// alone may get a kept signature, because no other index has one that is valid.

internal import SluiceWire

/// What became of a message. The counts are those of its sessions, in its order; nil for a session
/// without a row.
enum StoredMessage: Equatable {
  case stored([UInt64?])
  case noHeader
  case gaps([UInt64?])
  case refused(String)

  var isStored: Bool { if case .stored = self { true } else { false } }
}

/// A session's part of a message, as it lies in the message's bytes.
@safe
struct SessionBytes {
  let id: [UInt8]
  let after: UInt64
  let lastSignature: UnsafeRawBufferPointer
  let transactions: [UnsafeRawBufferPointer]

  var transactionCount: Int { unsafe transactions.count }
}

/// A message whose bytes do not change while it is used.
@safe
struct MessageBytes {
  let id: [UInt8]
  let header: UnsafeRawBufferPointer?
  let deleteIsValid: Bool
  let sessions: [SessionBytes]

  /// The most sessions of a message, so that the answer fits.
  static let sessionCountMaximum = 7000

  init(from reader: inout RecordByteReader) throws(WireError) {
    let flags = RecordMessageFlags(rawValue: try reader.number(UInt32.self))
    guard flags.isSubset(of: [.hasHeader, .hasExpectation, .deleteIsValid]) else {
      throw .outOfRange
    }
    deleteIsValid = flags.contains(.deleteIsValid)
    id = unsafe Array(try reader.string())
    unsafe header = flags.contains(.hasHeader) ? try reader.string() : nil
    _ = try reader.number(UInt8.self)
    let count = try reader.count(ofItems: 20)
    guard count <= Self.sessionCountMaximum else { throw .outOfRange }
    var sessions: [SessionBytes] = []
    sessions.reserveCapacity(count)
    for _ in 0..<count {
      let id = unsafe Array(try reader.string())
      let after = try reader.number(UInt64.self)
      let signature = unsafe try reader.string()
      let transactionCount = try reader.count(ofItems: 4)
      var transactions: [UnsafeRawBufferPointer] = unsafe []
      unsafe transactions.reserveCapacity(transactionCount)
      for _ in 0..<transactionCount { unsafe transactions.append(try reader.string()) }
      unsafe sessions.append(
        SessionBytes(
          id: id, after: after, lastSignature: signature, transactions: transactions))
    }
    self.sessions = sessions
    // How far a peer's or a store's messages go is nothing to store.
    if flags.contains(.hasExpectation) { _ = try reader.counters() }
  }
}

struct RecordWriter {
  let store: RecordStore
  /// The size of transactions behind which a signature is kept.
  let signatureInterval: UInt64

  /// What has to be written of a session.
  private struct Plan {
    var stored: StoredSession?
    /// The first transaction that is new.
    var first = 0
    var size: UInt64 = 0
    var hasGap = false
  }

  /// Stores a message. To be called within `atomically`.
  func store(_ message: MessageBytes) throws(DatabaseError) -> StoredMessage {
    if let flaw = flaw(of: message) { return .refused(flaw) }
    let present = try store.coValue(message.id)
    if present == nil, unsafe message.header == nil { return .noHeader }
    var plans: [Plan] = []
    plans.reserveCapacity(message.sessions.count)
    for session in message.sessions {
      var plan = try plan(session, of: present?.row)
      if let flaw = measure(session, &plan) { return .refused(flaw) }
      plans.append(plan)
    }
    guard let row = try unsafe store.upsertCoValue(message.id, header: message.header)?.row else {
      return .noHeader
    }
    var counts: [UInt64?] = []
    counts.reserveCapacity(plans.count)
    for (session, plan) in zip(message.sessions, plans) {
      if message.deleteIsValid, RecordNames.isDeleteSession(session.id) {
        try store.queueForErasure(message.id)
      }
      counts.append(try write(session, plan, of: row))
    }
    return plans.contains { $0.hasGap } ? .gaps(counts) : .stored(counts)
  }

  // MARK: Planning

  private func flaw(of message: MessageBytes) -> String? {
    if let flaw = RecordNames.flaw(of: message.id, "the value's id") { return flaw }
    if let header = unsafe message.header, RecordHeader(unsafe Array(header)) == nil {
      return "the header is no JSON object"
    }
    for session in message.sessions {
      if let flaw = RecordNames.flaw(of: session.id, "a session's id") { return flaw }
      guard session.after <= UInt32.max,
        session.after + UInt64(session.transactionCount) <= UInt32.max
      else { return "\(name(session)) would have more than \(UInt32.max) transactions" }
    }
    guard message.sessions.count > 1 else { return nil }
    let ids = Set(message.sessions.map(\.id))
    return ids.count == message.sessions.count ? nil : "the message has a session twice"
  }

  private func name(_ session: SessionBytes) -> String {
    "session \(String(decoding: session.id, as: UTF8.self))"
  }

  private func plan(_ session: SessionBytes, of row: UInt64?) throws(DatabaseError) -> Plan {
    var plan = Plan()
    if let row { plan.stored = try store.session(session.id, of: row) }
    let count = UInt64(plan.stored?.count ?? 0)
    if count < session.after {
      plan.hasGap = true
      plan.first = session.transactionCount
    } else {
      plan.first = Int(min(count - session.after, UInt64(session.transactionCount)))
    }
    return plan
  }

  /// Adds up the sizes of the new transactions; why one is none.
  private func measure(_ session: SessionBytes, _ plan: inout Plan) -> String? {
    for index in plan.first..<session.transactionCount {
      guard let size = unsafe TransactionText.size(of: session.transactions[index]) else {
        return """
          \(name(session)): transaction \(session.after + UInt64(index)) is no JSON object with a \
          string 'changes' (private: 'encryptedChanges')
          """
      }
      plan.size += UInt64(size)
    }
    return nil
  }

  // MARK: Writing

  /// Writes what is new of a session, and gives its count then; nil if it has no row.
  private func write(
    _ session: SessionBytes, _ plan: Plan, of row: UInt64
  ) throws(DatabaseError) -> UInt64? {
    let count = plan.stored?.count ?? 0
    let newCount = UInt32(session.transactionCount - plan.first)
    guard newCount > 0 else {
      // A session without anything is no row, and yet its count is 0 and no unknown one.
      return plan.stored.map { UInt64($0.count) } ?? (plan.hasGap ? nil : 0)
    }
    var written =
      plan.stored
      ?? StoredSession(row: 0, count: 0, sizeSinceSignature: 0, lastSignature: [])
    let size = UInt64(written.sizeSinceSignature) + plan.size
    let keepsSignature = size > signatureInterval
    written.sizeSinceSignature = keepsSignature ? 0 : UInt32(size)
    written.count = count + newCount
    written.lastSignature = unsafe Array(session.lastSignature)
    let sessionRow = try store.put(written, session.id, of: row)
    if keepsSignature {
      try unsafe store.addSignature(session.lastSignature, at: written.count - 1, to: sessionRow)
    }
    for index in plan.first..<session.transactionCount {
      try unsafe store.addTransaction(
        session.transactions[index], at: count + UInt32(index - plan.first), to: sessionRow)
    }
    return UInt64(written.count)
  }
}
