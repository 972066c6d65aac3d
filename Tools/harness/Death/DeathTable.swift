// The effect that an operation must have when its client or the sidecar is killed in the middle of
// it: one row for each operation, one column for each phase. DeathRun compares.
//
//                    the client is killed                   the sidecar is killed
//   before           a request is written                   the client asks
//   filled           its slot is full, and not handed over   (the same to its client)
//   counted          it is handed over, and nobody looked    the same
//   underWay         it is handed over, and being done       the same
//   answered         the answer is there                    the client has the answer
//
// Besides, in every row: locks are free, files are closed, and a client whose sidecar died gets its
// error in time.

internal import SluiceWire

enum DeathPhase: String, CaseIterable {
  case before, filled, counted, underWay
  case answered
}

/// The effect of a request on the disk.
enum DeathEffect: String {
  /// The request never changes the disk.
  case nothing = "-"
  case undone, done
  /// Of several writes the last one is missing.
  case part
  /// Done or undone, and nothing between.
  case either
  /// Of several writes any number is done, in order.
  case some
  /// There is no such phase.
  case never = "."

  /// Whether `found` is an expected effect.
  func admits(_ found: DeathEffect) -> Bool {
    switch self {
    case .nothing, .undone, .done, .part: found == self
    case .either: found == .done || found == .undone
    case .some: found == .done || found == .undone || found == .part
    case .never: false
    }
  }
}

enum DeathCase: String, CaseIterable {
  case nothing, channelOpen, channelClose, fullPathname, open, openDeleteOnClose, delete, access
  case close, read, write, writePosted, truncate, sync, fileSize, lockShared, lockReserved
  case lockExclusive, unlock, checkReservedLock, allocate, hasMoved, openWindow, pinWindow,
    lockAwait, syncPromise, syncAwait
  case walIndexMap, walIndexLock, walIndexUnmap, hasExternalReader

  var operation: Operation {
    switch self {
    case .openDeleteOnClose: .open
    case .writePosted: .write
    case .lockShared, .lockReserved, .lockExclusive: .lock
    case .nothing: .nothing
    case .channelOpen: .channelOpen
    case .channelClose: .channelClose
    case .fullPathname: .fullPathname
    case .open: .open
    case .delete: .delete
    case .access: .access
    case .close: .close
    case .read: .read
    case .write: .write
    case .truncate: .truncate
    case .sync: .sync
    case .fileSize: .fileSize
    case .unlock: .unlock
    case .checkReservedLock: .checkReservedLock
    case .allocate: .allocate
    case .hasMoved: .hasMoved
    case .openWindow: .openWindow
    case .pinWindow: .pinWindow
    case .lockAwait: .lockAwait
    case .syncPromise: .syncPromise
    case .syncAwait: .syncAwait
    case .walIndexMap: .walIndexMap
    case .walIndexLock: .walIndexLock
    case .walIndexUnmap: .walIndexUnmap
    case .hasExternalReader: .hasExternalReader
    }
  }

  /// The lock that the victim holds on the database before its request.
  var heldBefore: LockLevel {
    switch self {
    case .lockShared, .lockAwait: .none
    case .lockReserved, .lockExclusive, .walIndexMap, .walIndexLock, .walIndexUnmap,
      .hasExternalReader:
      .shared
    default: .exclusive
    }
  }

  var usesWALIndex: Bool {
    switch self {
    case .walIndexMap, .walIndexLock, .walIndexUnmap, .hasExternalReader: true
    default: false
    }
  }

  /// How many requests of this kind follow one another.
  var requestCount: Int { self == .writePosted ? 8 : 1 }
}

enum DeathTable {
  /// The effect on the disk, in the order of `DeathPhase`.
  struct Row {
    let client: [DeathEffect]
    let sidecar: [DeathEffect]
  }

  /// A request that changes the disk: done if it was handed over.
  private static let changes = Row(
    client: [.undone, .undone, .done, .done, .done],
    sidecar: [.undone, .never, .undone, .either, .done])
  /// Eight requests in a row; the phase is that of the last one.
  private static let changesInARow = Row(
    client: [.undone, .part, .done, .done, .done],
    sidecar: [.undone, .never, .undone, .some, .done])
  private static let leavesNothing = Row(
    client: [.nothing, .nothing, .nothing, .nothing, .nothing],
    sidecar: [.nothing, .never, .nothing, .nothing, .nothing])

  static func row(_ kind: DeathCase) -> Row {
    switch kind {
    case .open, .openDeleteOnClose, .delete, .write, .truncate, .allocate, .walIndexMap,
      .walIndexUnmap:
      changes
    case .writePosted: changesInARow
    case .nothing, .channelOpen, .channelClose, .fullPathname, .access, .close, .read, .sync,
      .fileSize, .lockShared, .lockReserved, .lockExclusive, .unlock, .checkReservedLock,
      .hasMoved, .openWindow, .pinWindow, .lockAwait, .syncPromise, .syncAwait, .walIndexLock,
      .hasExternalReader:
      leavesNothing
    }
  }
}
