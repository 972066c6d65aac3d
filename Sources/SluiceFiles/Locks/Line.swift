// The line in which clients stand that wait for a lock of one database.
//
// The right to write (RESERVED, or the WAL's WRITE lock) goes round in turns, because to hand it to
// a sleeping process costs more than a small transaction. While others wait, the holder may release
// and retake it until its turn ends. Then the first that waits is called. It is not given the lock
// itself but a claim: others are refused until it has come for the lock, or until a grace is over,
// because it may have died or changed its mind.
//
//   taken ──released, turn not over──▶ kept for its holder ──it comes──▶ taken
//     │                                       │ it does not
//     └────────released, turn over────────────┴──▶ free ──first is called──▶ claimed ──▶ taken
//
// A place in the line belongs to a handle and is kept for a while after its request was answered.
// So a handle that was called too late, or asks again and again without ever standing in line, does
// not start anew behind all others. A handle that has a place before the one that is called next
// may take the lock when it finds it free.
//
// While a handle copies a long WAL into the database, nobody is called for a while (`pause`).
//
// All other locks can be had by several handles, or are awaited by one alone. A handle that waits
// for one of them is called when the lock is free, and has no claim.
//
// A value, kept under the file's `state`: without a clock, and without a call to those that wait.
// What the line has to tell them it collects as notices. Its owner delivers these (`takeNotices`)
// before it lets go of `state`. A ticket is whatever the owner knows a waiting request by.

internal import SluiceSystem
internal import SluiceWire

struct Line<Ticket> {
  private struct Place {
    let holder: UInt64
    var lock: AwaitedLock
    /// Nil for a handle that was answered and has not come again yet.
    var ticket: Ticket?
    /// Whether it holds SHARED, and so is in the way of a writer that waits for the readers to go.
    var isReader: Bool
    var seenAt: Int64
  }

  private struct Turn {
    var holder: UInt64
    var beganAt: Int64
    var grants: Int
    var isOver = false
    /// Until when nobody else is called; nil while the lock is held.
    var keptUntil: Int64?

    mutating func release(_ now: Int64, forGood: Bool) {
      if forGood {
        isOver = true
        keptUntil = now
        return
      }
      let age = now - beganAt
      isOver =
        age >= LinePatience.turnNanoseconds && grants >= LinePatience.grantsMinimum
        || age >= LinePatience.turnNanosecondsMaximum
      keptUntil = now + (isOver ? LinePatience.lingerNanoseconds : LinePatience.comebackNanoseconds)
    }
  }

  /// In order of arrival.
  private var places: [Place] = []
  private var turn: Turn?
  /// Until when the right to write stands in its holder's channel. Until then the holder takes it
  /// and gives it back without a request; nil while each of these is a request.
  private var standingEnd: Int64?
  /// The holder that will sleep as soon as it has given back the right to write.
  private var leaver: UInt64?
  private var claim: (holder: UInt64, until: Int64)?
  private var gapUntil: Int64 = 0
  private var nextGapAt: Int64 = 0
  /// Until when nobody is called because of the checkpoint under way; nil while there is none, or
  /// none that calls for a pause.
  private var pauseEnd: Int64?
  /// Which requests are to be looked at, and when.
  private var notices: [(ticket: Ticket, lookAt: Int64)] = []

  /// Whether there is nothing to consider: then nothing else here need be called.
  @inline(__always)
  var isIdle: Bool { places.isEmpty && claim == nil }

  private func index(of holder: UInt64) -> Int? { places.firstIndex { $0.holder == holder } }

  /// The first that waits for the right to write.
  private var first: Int? { places.firstIndex { $0.ticket != nil && $0.lock.isTurn } }

  // MARK: Standing in line

  /// Gives `holder` a place, or finds the one that it has.
  mutating func enter(
    _ holder: UInt64, _ lock: AwaitedLock, _ ticket: Ticket?, isReader: Bool, now: Int64
  ) {
    sweep(now)
    // It was called, and found that another, which came before it, had taken the lock.
    if ticket != nil, claim?.holder == holder { claim = nil }
    // The handle that had the turn falls asleep now.
    if ticket != nil, turn?.holder == holder, turn?.keptUntil != nil { turn = nil }
    if let index = index(of: holder) {
      places[index].seenAt = now
      // A handle that was refused may stand in line on another channel.
      if let ticket {
        places[index].lock = lock
        places[index].ticket = ticket
        places[index].isReader = isReader
      }
      return
    }
    places.append(
      Place(holder: holder, lock: lock, ticket: ticket, isReader: isReader, seenAt: now))
  }

  /// The request of `holder` is answered; its place is kept for a while.
  mutating func rest(_ holder: UInt64, now: Int64) {
    guard let index = index(of: holder) else { return }
    places[index].ticket = nil
    places[index].seenAt = now
  }

  /// Forgets `holder`. If it has a request in its slot, that is to be looked at.
  mutating func leave(_ holder: UInt64, now: Int64) {
    if let index = index(of: holder) { notify(places.remove(at: index), now) }
    if claim?.holder == holder { claim = nil }
    if turn?.holder == holder { turn = nil }
  }

  /// Forgets claims that nobody came for, and places kept long enough.
  mutating func sweep(_ now: Int64) {
    if let claim, now >= claim.until { self.claim = nil }
    let claimant = claim?.holder
    places.removeAll {
      $0.ticket == nil && now - $0.seenAt >= LinePatience.placeNanoseconds && $0.holder != claimant
    }
  }

  // MARK: Turns

  /// Lets the right to write stand with `holder`, which has just taken it: until its turn is over,
  /// or, if nobody waits, until another needs it. False where it may not stand.
  mutating func letTurnStand(for holder: UInt64, now: Int64) -> Bool {
    if first == nil { return true }
    guard let turn, turn.holder == holder, now - turn.beganAt < LinePatience.turnNanoseconds else {
      return false
    }
    standingEnd = turn.beganAt + LinePatience.turnNanoseconds
    // From here on nobody counts how often the holder takes it.
    self.turn!.grants = LinePatience.grantsMinimum
    notifyFirst(isTaken: true, now: now)
    return true
  }

  /// Until when the right to write stands with its holder; nil where it may be taken back.
  func standsUntil(_ now: Int64) -> Int64? {
    guard let standingEnd, now < standingEnd else { return nil }
    return standingEnd
  }

  /// It does not stand any more.
  mutating func endStanding() { standingEnd = nil }

  /// Nil if `holder`, which stands in line, can be called now; else when to look again, `max` if
  /// there will be a notice.
  mutating func wait(of holder: UInt64, isTaken: Bool, now: Int64) -> Int64? {
    if isTaken { return isFirst(holder) ? standsUntil(now) ?? .max : .max }
    if let claim, now < claim.until {
      return claim.holder == holder ? nil : isFirst(holder) ? claim.until : .max
    }
    claim = nil
    guard isFirst(holder) else { return .max }
    if let end = keptUntil(now), turn?.holder != holder || turn?.isOver == true { return end }
    let end = max(gapUntil, pauseEnd ?? 0)
    return now < end ? end : nil
  }

  private func isFirst(_ holder: UInt64) -> Bool {
    first.map { places[$0].holder == holder } ?? false
  }

  /// Until when the lock is kept for its last holder.
  private func keptUntil(_ now: Int64) -> Int64? {
    guard let end = turn?.keptUntil else { return nil }
    return now < end ? end : nil
  }

  /// Answers the request of `holder`: the lock is free, and for a while `holder` alone may take it.
  /// There is no claim if nobody had to wait for the lock: others, which never wait, would be
  /// refused for nothing.
  mutating func call(_ holder: UInt64, hasWaited: Bool, now: Int64) {
    rest(holder, now: now)
    turn = nil
    guard hasWaited || first != nil else { return }
    claim = (holder, now + LinePatience.graceNanoseconds)
  }

  /// Whether `holder` was called, and others are refused the right to write for its sake.
  func isClaimed(by holder: UInt64, now: Int64) -> Bool {
    claim.map { $0.holder == holder && now < $0.until } ?? false
  }

  /// Whether `holder` may take the right to write, which is free.
  mutating func mayTake(_ holder: UInt64, now: Int64) -> Bool {
    if let claim, now < claim.until {
      return claim.holder == holder || isBefore(holder, index(of: claim.holder))
    }
    claim = nil
    if isPaused(now), index(of: holder) != nil { return false }
    guard let first else { return true }
    // Even if it is late, because nobody else has been called meanwhile.
    if let turn, turn.holder == holder, turn.keptUntil != nil, !turn.isOver {
      return true
    }
    return isBefore(holder, first)
  }

  private func isBefore(_ holder: UInt64, _ other: Int?) -> Bool {
    guard let own = index(of: holder), let other else { return false }
    return own < other
  }

  /// `holder` has taken the right to write.
  mutating func taken(by holder: UInt64, now: Int64) {
    // If it waited for it on another channel, it does not any more.
    if let index = index(of: holder) { notify(places.remove(at: index), now) }
    if claim?.holder == holder { claim = nil }
    if turn?.holder == holder {
      turn!.grants += 1
      turn!.keptUntil = nil
    } else {
      turn = Turn(holder: holder, beganAt: now, grants: 1)
    }
  }

  /// `holder`, which has the right to write, will sleep when it has given it back.
  mutating func leaves(_ holder: UInt64) { leaver = holder }

  /// `holder` has given it back.
  mutating func released(by holder: UInt64, isMirrored: Bool, now: Int64) {
    sweep(now)
    if turn?.holder != holder { turn = Turn(holder: holder, beganAt: now, grants: 1) }
    turn!.release(now, forGood: leaver == holder)
    leaver = nil
    if turn!.isOver, isMirrored, now >= nextGapAt {
      gapUntil = now + LinePatience.gapNanoseconds
      nextGapAt = gapUntil + LinePatience.gapIntervalNanoseconds
    }
    notifyFirst(isTaken: false, now: now)
  }

  // MARK: Pauses

  /// A checkpoint is under way. Until `end` it alone has the time of those that stand in line. What
  /// was said first of a checkpoint counts, until `endPause`.
  mutating func pause(until end: Int64) { pauseEnd = pauseEnd ?? end }

  /// The checkpoint itself stands in line, behind those that would wait for it.
  mutating func cutPause() { pauseEnd = 0 }

  /// The checkpoint is over.
  mutating func endPause() { pauseEnd = nil }

  private func isPaused(_ now: Int64) -> Bool { now < pauseEnd ?? 0 }

  // MARK: Notices

  /// The first that waits for the right to write is to look when there is something to see for it.
  mutating func notifyFirst(isTaken: Bool, now: Int64) {
    guard let first else { return }
    let place = places[first]
    notify(place, wait(of: place.holder, isTaken: isTaken, now: now) ?? now)
  }

  /// All that wait for anything else are to look.
  mutating func notifyOthers(now: Int64) {
    for place in places where !place.lock.isTurn { notify(place, now) }
  }

  /// All that hold SHARED are to look: a writer waits for them to go.
  mutating func notifyReaders(now: Int64) {
    for place in places where place.isReader { notify(place, now) }
  }

  private mutating func notify(_ place: Place, _ time: Int64) {
    if let ticket = place.ticket { notices.append((ticket, time)) }
  }

  /// Hands over the notices, which are forgotten here then.
  @inline(__always)
  mutating func takeNotices(_ deliver: (_ ticket: Ticket, _ lookAt: Int64) -> Void) {
    if notices.isEmpty { return }
    for notice in notices { deliver(notice.ticket, notice.lookAt) }
    notices.removeAll(keepingCapacity: true)
  }
}
