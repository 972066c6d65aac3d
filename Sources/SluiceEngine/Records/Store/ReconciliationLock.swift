// The lock of the reconciliation with a peer, which goes through all values of a store: one program
// does it at a time, not more often than every 30 days, and goes on where it was interrupted.
//
// A value and its rules. Times are milliseconds since 1970.

internal import SluiceWire

struct ReconciliationLock: Equatable {
  var holder: [UInt8]
  var acquiredAt: Int64
  /// Nil while it is held.
  var releasedAt: Int64?
  /// How many values the holder has done.
  var offset: UInt64

  private static let day: Int64 = 24 * 3_600_000
  /// For so long after its release nobody gets it.
  static let interval = 30 * day
  /// After so long its holder counts as gone.
  static let lifetime = day

  /// What becomes of the lock when `holder` wants it.
  static func acquire(
    _ present: ReconciliationLock?, _ holder: [UInt8], now: Int64
  ) -> (RecordsLockReply, ReconciliationLock?) {
    var offset: UInt64 = 0
    if let present {
      if let releasedAt = present.releasedAt {
        if now - releasedAt < interval { return (RecordsLockReply(outcome: .notDue), nil) }
      } else {
        if present.holder != holder, present.acquiredAt + lifetime >= now {
          return (RecordsLockReply(outcome: .held), nil)
        }
        offset = present.offset
      }
    }
    let lock = ReconciliationLock(
      holder: holder, acquiredAt: now, releasedAt: nil, offset: offset)
    return (RecordsLockReply(outcome: .done, offset: offset), lock)
  }

  /// What becomes of it when `holder` has done so many values; nil if it is not the holder.
  func renewed(by holder: [UInt8], offset: UInt64) -> ReconciliationLock? {
    guard holder == self.holder, releasedAt == nil else { return nil }
    var lock = self
    lock.offset = offset
    return lock
  }

  func released(by holder: [UInt8], now: Int64) -> ReconciliationLock? {
    guard holder == self.holder else { return nil }
    var lock = self
    lock.releasedAt = now
    lock.offset = 0
    return lock
  }

  // MARK: Bytes

  init(holder: [UInt8], acquiredAt: Int64, releasedAt: Int64?, offset: UInt64) {
    self.holder = holder
    self.acquiredAt = acquiredAt
    self.releasedAt = releasedAt
    self.offset = offset
  }

  init(_ value: [UInt8]) throws(DatabaseError) {
    var bytes = StoredBytes(value)
    acquiredAt = Int64(bitPattern: try bytes.number(UInt64.self))
    let released = Int64(bitPattern: try bytes.number(UInt64.self))
    releasedAt = released == .min ? nil : released
    offset = try bytes.number(UInt64.self)
    holder = bytes.remainder
  }

  var bytes: [UInt8] {
    RecordKeys.number(UInt64(bitPattern: acquiredAt))
      + RecordKeys.number(UInt64(bitPattern: releasedAt ?? .min)) + RecordKeys.number(offset)
      + holder
  }
}
