// What C gives: texts, messages and states, copied and checked.

internal import CSluiceLibrary
internal import CSluiceRecords
internal import SluiceLibrary
internal import SluiceRecords

/// More is in no message.
private let byteCountMaximum = 1 << 30

extension sluice_records_text {
  /// The bytes where they lie.
  @inline(never)
  fileprivate func view() throws(CallFailure) -> UnsafeRawBufferPointer {
    guard unsafe length == 0 || bytes != nil else {
      throw .own(SLUICE_MISUSE, "a text is NULL, and its length is not 0")
    }
    // A length of 2⁶³ and more is negative here.
    guard unsafe (0...byteCountMaximum).contains(length) else { throw .tooBig }
    return unsafe UnsafeRawBufferPointer(start: bytes, count: length)
  }

  func read() throws(CallFailure) -> [UInt8] { try unsafe Array(view()) }

  /// The name of a value, a session or a peer.
  func name() throws(CallFailure) -> RecordID {
    let name = try unsafe read()
    guard !name.isEmpty else { throw .own(SLUICE_MISUSE, "a name is NULL or empty") }
    return RecordID(name)
  }
}

/// The items of a list.
private func items<T>(
  _ start: UnsafePointer<T>?, _ count: Int
) throws(CallFailure) -> UnsafeBufferPointer<T> {
  guard unsafe count == 0 || (count > 0 && start != nil) else {
    throw .own(SLUICE_MISUSE, "a list is NULL, and its count is not 0")
  }
  return unsafe UnsafeBufferPointer(start: start, count: count)
}

private func counters(
  _ start: UnsafePointer<sluice_records_counter>?, _ count: Int
) throws(CallFailure) -> [RecordCounter] {
  let items = try unsafe items(start, count)
  var counters: [RecordCounter] = []
  for index in 0..<count {
    counters.append(
      RecordCounter(
        session: try unsafe items[index].session.read(), count: unsafe items[index].count))
  }
  return counters
}

func state(
  _ given: UnsafePointer<sluice_records_state>?
) throws(CallFailure) -> RecordKnownState {
  guard let given = unsafe given?.pointee else { throw .own(SLUICE_MISUSE, "the state is NULL") }
  return RecordKnownState(
    try unsafe given.id.name(), hasHeader: unsafe given.has_header != 0,
    try unsafe counters(given.counters, given.counter_count))
}

func message(
  _ given: UnsafePointer<sluice_records_message>?
) throws(CallFailure) -> RecordMessage {
  guard let given = unsafe given?.pointee else { throw .own(SLUICE_MISUSE, "the message is NULL") }
  var message = RecordMessage(id: try unsafe given.id.name().bytes)
  if unsafe given.header.bytes != nil { message.header = try unsafe given.header.read() }
  message.priority = unsafe UInt8(clamping: given.priority)
  if unsafe given.expected != nil {
    message.expectContentUntil = try unsafe counters(given.expected, given.expected_count)
  }
  let sessions = try unsafe items(given.sessions, given.session_count)
  for index in 0..<sessions.count {
    let session = unsafe sessions[index]
    message.sessions.append(
      RecordSessionContent(
        session: try unsafe session.session.read(), after: unsafe session.after,
        transactions: try unsafe transactions(session.transactions, session.transaction_count),
        lastSignature: try unsafe session.last_signature.read()))
  }
  return message
}

private func transactions(
  _ start: UnsafePointer<sluice_records_text>?, _ count: Int
) throws(CallFailure) -> RecordTransactions {
  let items = try unsafe items(start, count)
  var transactions = RecordTransactions()
  for index in 0..<count {
    guard transactions.byteCount <= byteCountMaximum else { throw .tooBig }
    unsafe transactions.append(try items[index].view())
  }
  return transactions
}

func updates(
  _ start: UnsafePointer<sluice_records_update>?, _ count: Int
) throws(CallFailure) -> [RecordSyncUpdate] {
  let items = try unsafe items(start, count)
  var updates: [RecordSyncUpdate] = []
  for index in 0..<count {
    updates.append(
      RecordSyncUpdate(
        id: try unsafe items[index].id.name().bytes, peer: try unsafe items[index].peer.read(),
        isSynced: unsafe items[index].is_synced != 0))
  }
  return updates
}

extension CallFailure {
  fileprivate static var tooBig: CallFailure {
    .own(SLUICE_TOOBIG, "a text or all transactions are larger than a message may be (64 MiB)")
  }
}
