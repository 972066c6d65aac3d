// The load of one value: its messages one after another, each read when it is wanted.
//
// What the load gives was fixed when it began: the sessions and their counts. Transactions below a
// count never change, so that later reads give what was there then. An erasure alone takes some
// away. It waits for the loads of its engine (HeldValues.swift); one of another engine fails the load.

internal import CEngine
internal import SluiceWire

final class ValueLoad {
  let id: [UInt8]
  let header: RecordHeader?
  private let headerText: [UInt8]
  /// Keeps the value from being erased.
  private let hold: LoadHold
  private let sessions: [NamedSession]
  private let plan: PiecePlan
  private var nextMessage = 0
  /// The values that have to be sent before the next message; nil while that is not known.
  private var dependencies: ArraySlice<[UInt8]>?

  /// Fixes what is given; nil if the value is not there. A header that cannot be read counts as
  /// none.
  init?(_ id: [UInt8], from store: RecordStore, _ hold: LoadHold) throws(DatabaseError) {
    guard let stored = try store.coValue(id), let header = RecordHeader(stored.header) else {
      return nil
    }
    self.id = id
    self.hold = hold
    self.header = header
    headerText = stored.header
    sessions = try store.sessions(of: stored.row)
    var parts: [PiecePlan.Session] = []
    parts.reserveCapacity(sessions.count)
    for session in sessions {
      parts.append(
        PiecePlan.Session(
          stored: session.stored,
          signatures: try store.signatures(of: session.stored.row, count: session.stored.count)))
    }
    plan = PiecePlan(parts)
  }

  var priority: UInt8 { header?.priority ?? 3 }
  var hasMore: Bool { nextMessage < plan.messages.count }

  // MARK: Dependencies

  /// The next value that has to be sent before the next message, whether it was sent or not.
  func nextDependency(in store: RecordStore) throws(DatabaseError) -> [UInt8]? {
    if dependencies == nil { dependencies = ArraySlice(try findDependencies(in: store)) }
    return dependencies?.popFirst()
  }

  /// The dependency that was given last could not be begun; it comes next again.
  func putBack(_ dependency: [UInt8]) {
    dependencies = [dependency] + (dependencies ?? [])
  }

  /// In order: the header's, the owners of the sessions, and what a group's transactions name.
  private func findDependencies(in store: RecordStore) throws(DatabaseError) -> [[UInt8]] {
    var found: [[UInt8]] = []
    var seen: Set<[UInt8]> = [id]
    func add(_ id: [UInt8]) { if seen.insert(id).inserted { found.append(id) } }
    header?.dependencies.forEach(add)
    for piece in plan.messages[nextMessage] {
      if let owner = RecordNames.owner(ofSession: sessions[piece.session].id) { add(owner) }
    }
    guard header?.isGroup == true else { return found }
    for piece in plan.messages[nextMessage] {
      try unsafe store.transactions(
        of: sessions[piece.session].stored.row, from: piece.first, through: piece.last
      ) { text in
        unsafe TransactionText.keysSet(in: text) { key in
          if let id = RecordHeader.dependency(ofKey: key) { add(id) }
        }
      }
    }
    return found
  }

  // MARK: Messages

  /// Writes the next message.
  func writeMessage(
    from store: RecordStore, to writer: inout RecordByteWriter
  ) throws(DatabaseError) {
    let pieces = plan.messages[nextMessage]
    let tellsAll = plan.isStreamed && nextMessage == 0
    nextMessage += 1
    dependencies = nil
    let flags: RecordMessageFlags = tellsAll ? [.hasHeader, .hasExpectation] : .hasHeader
    writer.number(flags.rawValue)
    writer.string(id)
    writer.string(headerText)
    writer.number(priority)
    let countPlace = writer.count
    writer.number(UInt32(0))
    var count: UInt32 = 0
    for piece in pieces where try write(piece, from: store, to: &writer) { count += 1 }
    writer.overwrite(count, at: countPlace)
    if tellsAll {
      writer.counters(
        sessions.map { RecordCounter(session: $0.id, count: UInt64($0.stored.count)) })
    }
  }

  /// Writes a piece; false, and nothing, if a part of it is not there, as in a damaged store.
  private func write(
    _ piece: Piece, from store: RecordStore, to writer: inout RecordByteWriter
  ) throws(DatabaseError) -> Bool {
    let session = sessions[piece.session]
    let start = writer.count
    let expected = piece.last - piece.first + 1
    writer.string(session.id)
    writer.number(UInt64(piece.first))
    writer.string(piece.signature)
    writer.number(expected)
    var count: UInt32 = 0
    try unsafe store.transactions(of: session.stored.row, from: piece.first, through: piece.last) {
      text in
      unsafe writer.string(text)
      count += 1
    }
    guard count != expected else { return true }
    if try store.isErased(id) {
      throw DatabaseError(SQLITE_ABORT, "the value was erased while it was loaded; load it again")
    }
    writer.truncate(to: start)
    return false
  }
}
