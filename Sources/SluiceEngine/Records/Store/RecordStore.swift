// The rows of a record store: values, sessions, transactions, signatures, and what has to be erased
// or sent to peers. Each method is one step; what belongs together is put together by the writer
// (RecordWriter.swift), the loads and the eraser.
//
// The row ids of values are dense from 1, because values are listed by them; those of sessions only
// grow. One thread at a time uses a store. Methods that change it are called within `atomically`.

internal import CEngine

final class RecordStore: TransactionalStore {
  let base: any OrderedStore
  /// What was read and written last, as long as nobody else changes the store.
  private var coValues = BoundedCache<[UInt8], StoredCoValue>(capacity: 20_000)
  private var sessions = BoundedCache<[UInt8], StoredSession>(capacity: 20_000)
  private var nextRows: [Partition: UInt64] = [:]
  /// Whether the caches may be used: only in a store that changes itself.
  private let caches: Bool
  private var foreignChanges: UInt32 = 0

  init(_ base: any OrderedStore, caches: Bool) {
    self.base = base
    self.caches = caches
  }

  /// Does all changes of `body` or none.
  func atomically<R>(_ body: () throws(DatabaseError) -> R) throws(DatabaseError) -> R {
    do throws(DatabaseError) {
      return try base.atomically { () throws(DatabaseError) in
        if base.foreignChanges() != foreignChanges {
          foreignChanges = base.foreignChanges()
          forget()
        }
        return try body()
      }
    } catch {
      forget()
      throw error
    }
  }

  /// What is known of the store is not true any more.
  func forget() {
    coValues.removeAll()
    sessions.removeAll()
    nextRows = [:]
  }

  // MARK: Values

  func coValue(_ id: [UInt8]) throws(DatabaseError) -> StoredCoValue? {
    if let known = coValues[id] { return known }
    guard let value = try base.get(.coValueByID, id) else { return nil }
    let stored = try StoredCoValue(value)
    if caches { coValues[id] = stored }
    return stored
  }

  /// The value, which is created if it is not there and there is a header. A header that is there
  /// is never replaced.
  func upsertCoValue(
    _ id: [UInt8], header: UnsafeRawBufferPointer?
  ) throws(DatabaseError) -> StoredCoValue? {
    if let present = try coValue(id) { return present }
    guard let header = unsafe header else { return nil }
    let row = try nextRow(.coValueByRow)
    let stored = StoredCoValue(row: row, header: unsafe Array(header))
    try base.put(.coValueByID, id, stored.bytes)
    try base.put(.coValueByRow, RecordKeys.number(row), id)
    if caches { coValues[id] = stored }
    return stored
  }

  /// How many values there are.
  func coValueCount() throws(DatabaseError) -> UInt64 {
    try storedNextRow(.coValueByRow) - 1
  }

  /// Calls `body` with the rows and ids of values behind row `offset`, until it gives false.
  func coValueIDs(
    behind offset: UInt64, _ body: (UInt64, UnsafeRawBufferPointer) -> Bool
  ) throws(DatabaseError) {
    guard offset < .max else { return }
    let range = KeyRange(from: RecordKeys.number(offset + 1), to: nil)
    try unsafe base.scan(.coValueByRow, range) { (key, id) throws(DatabaseError) in
      var bytes = unsafe StoredBytes(key)
      return try unsafe body(bytes.number(UInt64.self), id)
    }
  }

  // MARK: Sessions

  /// The sessions of a value in the order of their creation.
  func sessions(of row: UInt64) throws(DatabaseError) -> [NamedSession] {
    let prefix = RecordKeys.number(row)
    var found: [NamedSession] = []
    try unsafe base.scan(.sessionByCoValue, KeyRange(prefix: prefix)) {
      (key, value) throws(DatabaseError) in
      unsafe found.append(
        NamedSession(id: Array(key.dropFirst(prefix.count)), stored: try StoredSession(value)))
      return true
    }
    if found.count > 1 { found.sort { $0.stored.row < $1.stored.row } }
    return found
  }

  func session(_ id: [UInt8], of row: UInt64) throws(DatabaseError) -> StoredSession? {
    let key = RecordKeys.number(row) + id
    if let known = sessions[key] { return known }
    guard let value = try base.get(.sessionByCoValue, key) else { return nil }
    let stored = try StoredSession(value)
    if caches { sessions[key] = stored }
    return stored
  }

  /// Writes a session. One with row 0 is new, and gets a row.
  func put(
    _ session: StoredSession, _ id: [UInt8], of row: UInt64
  ) throws(DatabaseError) -> UInt64 {
    let key = RecordKeys.number(row) + id
    var session = session
    if session.row == 0 {
      session.row = try nextRow(.sessionByRow)
      try base.put(.sessionByRow, RecordKeys.number(session.row), key)
    }
    try base.put(.sessionByCoValue, key, session.bytes)
    if caches { sessions[key] = session }
    return session.row
  }

  // MARK: Transactions and signatures

  func addTransaction(
    _ text: UnsafeRawBufferPointer, at index: UInt32, to session: UInt64
  ) throws(DatabaseError) {
    try unsafe base.put(.transactions, RecordKeys.item(session, index), text)
  }

  /// Calls `body` with the transactions from `first` to `last`.
  func transactions(
    of session: UInt64, from first: UInt32, through last: UInt32,
    _ body: (UnsafeRawBufferPointer) -> Void
  ) throws(DatabaseError) {
    let range = RecordKeys.items(session, from: first, to: UInt64(last) + 1)
    try unsafe base.scan(.transactions, range) { (_, text) in
      unsafe body(text)
      return true
    }
  }

  func addSignature(
    _ signature: UnsafeRawBufferPointer, at index: UInt32, to session: UInt64
  ) throws(DatabaseError) {
    try unsafe base.put(.signatureAfter, RecordKeys.item(session, index), signature)
  }

  /// The kept signatures of a session of so many transactions, with the index of the last
  /// transaction that each covers.
  func signatures(
    of session: UInt64, count: UInt32
  ) throws(DatabaseError) -> [(index: UInt32, signature: [UInt8])] {
    var found: [(index: UInt32, signature: [UInt8])] = []
    let range = RecordKeys.items(session, from: 0, to: UInt64(count))
    try unsafe base.scan(.signatureAfter, range) { (key, signature) throws(DatabaseError) in
      var bytes = unsafe StoredBytes(key.dropFirst(8))
      unsafe found.append((try bytes.number(UInt32.self), Array(signature)))
      return true
    }
    return found
  }

  // MARK: Row ids

  private func nextRow(_ partition: Partition) throws(DatabaseError) -> UInt64 {
    var row = nextRows[partition] ?? 0
    if row == 0 { row = try storedNextRow(partition) }
    guard row < .max else { throw .damagedStore("its row ids are used up") }
    try base.put(.meta, key(ofNextRow: partition), RecordKeys.number(row + 1))
    if caches { nextRows[partition] = row + 1 }
    return row
  }

  private func storedNextRow(_ partition: Partition) throws(DatabaseError) -> UInt64 {
    guard let value = try base.get(.meta, key(ofNextRow: partition)) else { return 1 }
    var bytes = StoredBytes(value)
    let row = try bytes.number(UInt64.self)
    guard row > 0 else { throw .damagedStore("a counter is 0") }
    return row
  }

  private func key(ofNextRow partition: Partition) -> [UInt8] {
    partition == .coValueByRow ? RecordKeys.nextCoValueRow : RecordKeys.nextSessionRow
  }
}
