// What C gets: texts, messages and states, whose bytes stay in the arrays that have them. An array has
// its own memory, which stays where it is while the array is there and not changed.

internal import CSluiceRecords
internal import SluiceRecords

extension sluice_records_text {
  init(_ bytes: [UInt8]) {
    let start = unsafe bytes.withUnsafeBytes { $0.baseAddress }
    unsafe self.init(
      bytes: start?.assumingMemoryBound(to: CChar.self), length: bytes.count)
  }

  fileprivate init(_ bytes: ArraySlice<UInt8>) {
    let start = unsafe bytes.withUnsafeBytes { $0.baseAddress }
    unsafe self.init(
      bytes: start?.assumingMemoryBound(to: CChar.self), length: bytes.count)
  }

  fileprivate static var none: sluice_records_text { unsafe sluice_records_text() }
}

/// Calls `body` with a list in C's form.
private func withList<T, R>(_ list: [T], _ body: (UnsafePointer<T>?) -> R) -> R {
  unsafe list.withUnsafeBufferPointer { unsafe body($0.baseAddress) }
}

/// Calls `body` with a message, which is valid in the call alone.
func withMessage<R>(
  _ message: RecordMessage, _ body: (UnsafePointer<sluice_records_message>) -> R
) -> R {
  withExtendedLifetime(message) {
    var texts: [sluice_records_text] = unsafe []
    var count = 0
    for session in message.sessions { count += session.transactions.count }
    unsafe texts.reserveCapacity(count)
    for session in message.sessions {
      for transaction in session.transactions {
        unsafe texts.append(sluice_records_text(transaction))
      }
    }
    return unsafe withList(texts) { start in
      let sessions = unsafe sessions(message, start)
      let expected = unsafe (message.expectContentUntil ?? []).map {
        unsafe sluice_records_counter(session: sluice_records_text($0.session), count: $0.count)
      }
      return unsafe withList(sessions) { sessions in
        unsafe withList(expected) { expectedStart in
          var given = unsafe sluice_records_message(
            id: sluice_records_text(message.id),
            header: message.header.map { unsafe sluice_records_text($0) } ?? .none,
            sessions: sessions, session_count: message.sessions.count,
            expected: message.expectContentUntil == nil ? nil : expectedStart,
            expected_count: expected.count, priority: UInt32(message.priority), reserved: 0)
          return unsafe body(&given)
        }
      }
    }
  }
}

private func sessions(
  _ message: RecordMessage, _ texts: UnsafePointer<sluice_records_text>?
) -> [sluice_records_session] {
  var sessions: [sluice_records_session] = unsafe []
  unsafe sessions.reserveCapacity(message.sessions.count)
  var first = 0
  for session in message.sessions {
    let count = session.transactions.count
    unsafe sessions.append(
      sluice_records_session(
        session: sluice_records_text(session.session),
        last_signature: sluice_records_text(session.lastSignature),
        transactions: count == 0 ? nil : texts.map { unsafe $0 + first }, transaction_count: count,
        after: session.after))
    first += count
  }
  return unsafe sessions
}

/// Calls `body` with a known state, which is valid in the call alone.
func withState<R>(
  _ state: RecordKnownState, _ body: (UnsafePointer<sluice_records_state>) -> R
) -> R {
  withExtendedLifetime(state) {
    var counters: [sluice_records_counter] = unsafe []
    for (session, count) in state.sessions {
      unsafe counters.append(
        sluice_records_counter(session: sluice_records_text(session.bytes), count: count))
    }
    return unsafe withList(counters) { start in
      var given = unsafe sluice_records_state(
        id: sluice_records_text(state.id.bytes), counters: start,
        counter_count: state.sessions.count, has_header: state.hasHeader ? 1 : 0, reserved: 0)
      return unsafe body(&given)
    }
  }
}
