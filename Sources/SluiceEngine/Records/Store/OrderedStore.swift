// What a record store stands on: partitions of ordered keys with values, atomic changes, and
// consistent reads. SQLite is one (SQLiteStore.swift); another ordered store could take its place.
//
// Keys are ordered as bytes. One thread at a time uses a store.

/// The partitions of a record store. Their names are part of the format.
enum Partition: Int, CaseIterable {
  case coValueByID, coValueByRow, sessionByCoValue, sessionByRow, transactions, signatureAfter
  case unsynced, deleted, meta

  var name: String {
    switch self {
    case .coValueByID: "covalue_by_id"
    case .coValueByRow: "covalue_by_row"
    case .sessionByCoValue: "session_by_cv_sid"
    case .sessionByRow: "session_by_row"
    case .transactions: "transactions"
    case .signatureAfter: "signature_after"
    case .unsynced: "unsynced"
    case .deleted: "deleted"
    case .meta: "meta"
    }
  }
}

/// Keys from the first up to, and without, the second; without a second, to the end.
struct KeyRange {
  var start: [UInt8]
  var end: [UInt8]?

  init(from start: [UInt8], to end: [UInt8]?) {
    self.start = start
    self.end = end
  }

  /// All keys that begin with `prefix`.
  init(prefix: [UInt8]) {
    start = prefix
    end = prefix
    while let last = end?.popLast() {
      guard last < 0xff else { continue }
      end?.append(last + 1)
      return
    }
    end = nil
  }

  static let all = KeyRange(from: [], to: nil)
}

protocol OrderedStore: AnyObject {
  func get(_ partition: Partition, _ key: [UInt8]) throws(DatabaseError) -> [UInt8]?

  /// Calls `body` with each key of the range and its value, in order, until it gives false. The
  /// bytes are valid in the call alone. `body` may read other keys, and change none.
  func scan(
    _ partition: Partition, _ range: KeyRange,
    _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws(DatabaseError) -> Bool
  ) throws(DatabaseError)

  /// Sets the value of a key. Only within `atomically`, as the next two.
  func put(
    _ partition: Partition, _ key: [UInt8], _ value: UnsafeRawBufferPointer
  ) throws(DatabaseError)

  func delete(_ partition: Partition, _ key: [UInt8]) throws(DatabaseError)

  /// Deletes all keys of the range.
  func delete(_ partition: Partition, _ range: KeyRange) throws(DatabaseError)

  /// Does all changes of `body` or, if it throws, none. They are durable when it returns. Nobody
  /// else changes the store meanwhile.
  func atomically<R>(_ body: () throws(DatabaseError) -> R) throws(DatabaseError) -> R

  /// All reads of `body` see the store as it was at one time.
  func consistently<R>(_ body: () throws(DatabaseError) -> R) throws(DatabaseError) -> R

  /// Another number than at the call before if somebody else has changed the store since. To be
  /// asked within `atomically`.
  func foreignChanges() -> UInt32
}

extension OrderedStore {
  func put(
    _ partition: Partition, _ key: [UInt8], _ value: [UInt8]
  ) throws(DatabaseError) {
    var failure: DatabaseError?
    unsafe value.withUnsafeBytes {
      do throws(DatabaseError) { try unsafe put(partition, key, $0) } catch { failure = error }
    }
    if let failure { throw failure }
  }
}
