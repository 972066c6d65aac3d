// What stands on the lock bytes of a database file for all of our clients together. The bytes are
// those of SQLite's os.h: a PENDING byte, a RESERVED byte and 510 SHARED bytes, all beyond the page
// that a database never uses.
//
// A value. The ladder says what has to stand (`Ladder.locksOnFile`); LockMirror puts it there.

internal import SluiceSystem

enum LockByte {
  static let pending: Int64 = 0x4000_0000
  static let reserved = pending + 1
  static let shared = pending + 2
  static let sharedByteCount: Int64 = 510
}

struct LocksOnFile: Equatable {
  var shared = ByteRangeLock.none
  /// PENDING and RESERVED stand exclusively, or not at all.
  var hasPending = false
  var hasReserved = false

  static var nothing: LocksOnFile { LocksOnFile() }

  /// One lock call on the file.
  struct Call: Equatable {
    var lock: ByteRangeLock
    var start: Int64
    var byteCount: Int64

    /// Takes off everything.
    static var clear: Call { Call(lock: .none, start: 0, byteCount: 0) }
  }

  /// Hands over the calls, in their order, that bring the file from `self` to `new`. Readers first:
  /// while PENDING or RESERVED is put on the file, SHARED stands there.
  @inline(__always)
  func change<E: Error>(to new: LocksOnFile, _ make: (Call) throws(E) -> Void) throws(E) {
    if self == new { return }
    if new == .nothing { return try make(.clear) }
    if shared != new.shared {
      try make(
        Call(lock: new.shared, start: LockByte.shared, byteCount: LockByte.sharedByteCount))
    }
    if new.hasPending, !hasPending {
      try make(Call(lock: .exclusive, start: LockByte.pending, byteCount: 1))
    }
    if new.hasReserved, !hasReserved {
      try make(Call(lock: .exclusive, start: LockByte.reserved, byteCount: 1))
    }
    // A writer gives back both at once.
    if !new.hasPending, !new.hasReserved, hasPending || hasReserved {
      try make(Call(lock: .none, start: LockByte.pending, byteCount: 2))
    }
  }
}
