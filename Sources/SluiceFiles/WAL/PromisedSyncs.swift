// The syncs of one WAL that its writers share (group commit).
//
// A commit in WAL mode promises that its frames will be durable, gives the right to write to the
// next writer, and waits for the promise afterwards. One sync at a time is under way. It keeps all
// promises that were made before it began. Those that are made meanwhile wait for the next one.
//
//   promise ──▶ asked for ──a sync begins──▶ under way ──it ends──▶ kept
//                                                └───it fails──▶ broken, and every later one too
//
// A sync that failed is never tried again: the kernel has dropped what it could not write, and the
// next sync would succeed without it. So a sync that nobody was promised, a checkpoint's, fails for all
// that asked for one before it began; and if something was written since the last sync, for the next
// commit as well.
//
// A power cut may take back what is promised and not kept. So nobody is shown the WAL from there on,
// except the writer whose own commit follows it. A transaction is one part: its first frames may be
// durable already, but they count for nothing without its last one.
//
// A value under its owner's lock, without a clock and without a system call. A ticket is whatever
// the owner knows a waiting request by.

internal import SluiceSystem

struct PromisedSyncs<Ticket> {
  /// What became of a promise.
  enum Fate: Equatable {
    case kept
    /// A sync that will keep it is under way or asked for.
    case open
    case broken(Errno)
  }

  /// How many syncs have begun. Each has a number, from 1 on.
  private(set) var begunCount: UInt64 = 0
  /// The number of the last sync that succeeded.
  private var keptNumber: UInt64 = 0
  /// The number of the last sync that anybody was promised.
  private var askedNumber: UInt64 = 0
  private(set) var isUnderWay = false
  /// Who was promised the next sync, and who the last one and the one before.
  private var group: [UInt64] = []
  private var lately: (last: [UInt64], before: [UInt64]) = ([], [])
  /// Whether a reader waits for the next sync.
  private var isPressing = false
  private var failure: Errno?
  /// The last sync that failed without breaking a promise, and whether a commit may have lost something
  /// by it.
  private var lastFailure: (number: UInt64, errno: Errno, isUntold: Bool)?

  /// What was written since the last sync began, as one range; empty if nothing was. What was there
  /// before the first write was promised by nobody here.
  private var written = Range<Int64>.nothing
  /// The same of the sync under way, or of the sync that failed.
  private var syncing = Range<Int64>.nothing
  /// What was written since the last promise: the transaction that will be promised next, and perhaps
  /// others before it that were promised nothing.
  private var unpromised = Range<Int64>.nothing
  /// What is shown to nobody before the next sync has ended, and before the sync under way has.
  private var hidden = (next: Range<Int64>.nothing, now: Range<Int64>.nothing)

  /// The requests that wait for a sync.
  private var waiting: [Ticket] = []

  // MARK: Writes and promises

  /// To be called after the write: what a sync does not cover for certain waits for the next one.
  mutating func wrote(_ range: Range<Int64>) {
    // A new WAL begins. What was lost of the old one is in the database.
    if range.lowerBound == 0 { lastFailure?.isUntold = false }
    written.formHull(range)
    unpromised.formHull(range)
  }

  /// Promises `writer` that all that was written will be durable. The number is that of the sync that
  /// will keep the promise, or has kept it.
  mutating func promise(to writer: UInt64) -> UInt64 {
    let number =
      if !written.isEmpty { begunCount + 1 } else if isUnderWay || failure != nil {
        begunCount
      } else {
        keptNumber
      }
    askedNumber = max(askedNumber, number)
    if !group.contains(writer) { group.append(writer) }
    if number > begunCount {
      hidden.next.formHull(unpromised)
    } else if number > keptNumber {
      hidden.now.formHull(unpromised)
    }
    unpromised = .nothing
    return number
  }

  func fate(of number: UInt64) -> Fate {
    if number <= keptNumber { return .kept }
    return failure.map { .broken($0) } ?? .open
  }

  /// The number of the sync after which a part of the WAL will be durable; nil if it is already, or
  /// if nobody was promised it or anything before it. What is written behind a promised transaction may
  /// show it, and its own commit need not sync.
  func syncAwaited(by range: Range<Int64>) -> UInt64? {
    func waits(for hidden: Range<Int64>) -> Bool {
      !hidden.isEmpty && range.upperBound > hidden.lowerBound
    }
    if waits(for: hidden.next) { return begunCount + 1 }
    return waits(for: hidden.now) ? begunCount : nil
  }

  /// Up to where the WAL holds nothing that must not be shown.
  var shownByteCount: Int64 {
    min(
      hidden.next.isEmpty ? .max : hidden.next.lowerBound,
      hidden.now.isEmpty ? .max : hidden.now.lowerBound)
  }

  /// Whether all that was promised is kept.
  var isSettled: Bool { keptNumber >= askedNumber }

  /// Up to where the WAL is durable for certain.
  var durableByteCount: Int64 {
    min(
      written.isEmpty ? .max : written.lowerBound, syncing.isEmpty ? .max : syncing.lowerBound)
  }

  // MARK: Syncs

  /// Whether somebody was promised a sync that has not begun.
  var isWanted: Bool { failure == nil && askedNumber > begunCount }

  /// Whether those that committed lately have all been promised the next sync. While they have not, it
  /// is worth a short wait: the sync that begins now makes the others wait for the one after.
  var isGroupWhole: Bool {
    isPressing || lately.last.allSatisfy(group.contains) && lately.before.allSatisfy(group.contains)
  }

  /// The number of the next sync to begin, which makes durable all that is written now.
  var nextNumber: UInt64 { begunCount + 1 }

  /// Whether sync `number`, or one after it, has succeeded. Throws why one of them failed: if that was the
  /// last hope of a commit (`isFinal`), none begins any more.
  mutating func isDone(_ number: UInt64, isFinal: Bool) throws(Errno) -> Bool {
    if let failure { throw failure }
    if let lastFailure, lastFailure.number >= number {
      if isFinal { failure = lastFailure.errno }
      throw lastFailure.errno
    }
    return keptNumber >= number
  }

  /// `writer` is about something else: nobody waits for it to commit again.
  mutating func leave(_ writer: UInt64) {
    lately.last.removeAll { $0 == writer }
    lately.before.removeAll { $0 == writer }
  }

  /// A sync begins. Throws why one has failed, if that broke a promise or would break one now.
  mutating func begin(isFinal: Bool = false) throws(Errno) {
    precondition(!isUnderWay, "one sync at a time")
    if let lastFailure, lastFailure.isUntold, isFinal || isWanted { failure = lastFailure.errno }
    if let failure { throw failure }
    begunCount += 1
    isUnderWay = true
    (syncing, written) = (written, .nothing)
    hidden = (.nothing, hidden.next)
    lately = (group, lately.last)
    group = []
    isPressing = false
  }

  /// The sync under way has ended. Gives the requests that wait, which are forgotten here. After an
  /// error of a sync that `isFinal`, or that broke a promise, none begins any more.
  mutating func end(_ error: Errno?, isFinal: Bool = false) -> [Ticket] {
    precondition(isUnderWay, "a sync that ends has begun")
    isUnderWay = false
    if let error {
      if !isSettled || isFinal {
        failure = error
      } else {
        // Those who asked for it are told. Others will commit what was written.
        lastFailure = (begunCount, error, !syncing.isEmpty || lastFailure?.isUntold ?? false)
        written.formHull(syncing)
        syncing = .nothing
      }
    } else {
      keptNumber = begunCount
      syncing = .nothing
      hidden.now = .nothing
    }
    return takeWaiting()
  }

  /// Hands over the requests that wait.
  mutating func takeWaiting() -> [Ticket] {
    defer { waiting = [] }
    return waiting
  }

  /// A reader waits for that sync. Others may need the same part soon.
  mutating func press(_ number: UInt64) { if number > begunCount { isPressing = true } }

  /// The request is to be told at the end of the next sync.
  mutating func wait(_ ticket: Ticket) { waiting.append(ticket) }
}

extension Range<Int64> {
  fileprivate static var nothing: Range<Int64> { 0..<0 }

  /// Makes it the least range with this and that in it.
  fileprivate mutating func formHull(_ other: Range<Int64>) {
    if other.isEmpty { return }
    self =
      isEmpty
      ? other : Swift.min(lowerBound, other.lowerBound)..<Swift.max(upperBound, other.upperBound)
  }
}
