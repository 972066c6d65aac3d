// The line in which clients stand who wait for a lock of one database. All of it is under that
// database's `state`.
//
// The right to write (RESERVED, or the WAL's WRITE lock) goes round in turns, for to hand it to a
// sleeping process costs more than a small transaction: who has it may take it again and again
// until his turn is over, then the first who waits is called. Nobody is given the lock itself. Who
// is called has a claim: others are refused until he has come for it, or a grace is over, for he
// may have died, or changed his mind.
//
//   taken ──released, turn not over──▶ kept for its holder ──he comes──▶ taken
//     │                                       │ he does not
//     └────────released, turn over────────────┴──▶ free ──first is called──▶ claimed ──▶ taken
//
// A place in the line belongs to a handle and is kept for a while after its request was answered:
// who was called too late, or asks again and again without ever standing in line, does not start
// anew behind all others. Whoever was there before the one who is called next may take the lock
// when he finds it free.
//
// All other locks can be had by several, or are awaited by one alone: who waits for them is called
// when they are free, and has no claim.

internal import SluiceServer
internal import SluiceWire

struct LockQueue {
  enum Patience {
    /// A turn lasts so long, and for so many transactions, but never longer than the maximum.
    static let turnNanoseconds: Int64 = 600_000
    static let grantsMinimum = 4
    /// For so long nobody takes the right to write from who has it standing, though none waits.
    static let standingSliceNanoseconds: Int64 = 250_000
    static let turnNanosecondsMaximum: Int64 = 10_000_000
    /// For how long the lock is kept for who has the turn and gave it back.
    static let comebackNanoseconds: Int64 = 100_000
    /// For how long at the most nobody is called after a turn. Who had it will soon stand in line,
    /// and sleep; were the next woken before, there would be a thread more than processors, and he
    /// might run on the sidecar's, where each request takes two switches (seen with perf sched on
    /// two processors). What it gains is not beyond doubt: three runs of eight writers in WAL mode
    /// gave 43,000 to 50,000 transactions a second instead of 41,000 to 42,000, later ones 40,000
    /// to 45,000.
    static let lingerNanoseconds: Int64 = 50_000
    /// For how long it is kept for who was called.
    static let graceNanoseconds: Int64 = 5_000_000
    /// For how long a place is kept for who was refused: longer than SQLite's longest sleep.
    static let placeNanoseconds: Int64 = 250_000_000
    /// So often, and for so long, nobody is called while programs outside may wait: they see only
    /// what they find when they look.
    static let gapIntervalNanoseconds: Int64 = 10_000_000
    static let gapNanoseconds: Int64 = 2_000_000
  }

  private struct Place {
    let holder: UInt64
    var lock: AwaitedLock
    /// Nil for who was answered and has not come again yet.
    var waiter: Waiter?
    /// Whether it holds SHARED, and so is in the way of who waits for the readers to go.
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

    mutating func release(_ now: Int64) {
      let age = now - beganAt
      isOver =
        age >= Patience.turnNanoseconds && grants >= Patience.grantsMinimum
        || age >= Patience.turnNanosecondsMaximum
      keptUntil = now + (isOver ? Patience.lingerNanoseconds : Patience.comebackNanoseconds)
    }
  }

  /// In order of arrival.
  private var places: [Place] = []
  private var turn: Turn?
  /// Until when the right to write stands in its holder's channel, who takes it and gives it back
  /// without a request; nil while each of these is a request.
  private var standingEnd: Int64?
  private var claim: (holder: UInt64, until: Int64)?
  private var gapUntil: Int64 = 0
  private var nextGapAt: Int64 = 0

  /// Whether there is nothing to consider: then nothing else here need be called.
  @inline(__always)
  var isIdle: Bool { places.isEmpty && claim == nil }

  private func index(of holder: UInt64) -> Int? { places.firstIndex { $0.holder == holder } }

  /// The first who waits for the right to write.
  private var first: Int? { places.firstIndex { $0.waiter != nil && $0.lock.isTurn } }

  // MARK: Standing in line

  /// Gives `holder` a place, or finds the one that he has.
  mutating func enter(
    _ holder: UInt64, _ lock: AwaitedLock, _ waiter: Waiter?, isReader: Bool, now: Int64
  ) {
    sweep(now)
    // Who had the turn falls asleep now.
    if waiter != nil, turn?.holder == holder, turn?.keptUntil != nil { turn = nil }
    if let index = index(of: holder) {
      places[index].seenAt = now
      // Who was refused may stand in line on another channel.
      if let waiter {
        places[index].lock = lock
        places[index].waiter = waiter
        places[index].isReader = isReader
      }
      return
    }
    places.append(
      Place(holder: holder, lock: lock, waiter: waiter, isReader: isReader, seenAt: now))
  }

  /// The request of `holder` is answered; his place is kept for a while.
  mutating func rest(_ holder: UInt64, now: Int64) {
    guard let index = index(of: holder) else { return }
    places[index].waiter = nil
    places[index].seenAt = now
  }

  /// Forgets `holder`. Whoever has a request in its slot is told to look.
  mutating func leave(_ holder: UInt64, now: Int64) {
    if let index = index(of: holder) { places.remove(at: index).waiter?.tell(now) }
    if claim?.holder == holder { claim = nil }
    if turn?.holder == holder { turn = nil }
  }

  /// Forgets claims that nobody came for, and places kept long enough.
  mutating func sweep(_ now: Int64) {
    if let claim, now >= claim.until { self.claim = nil }
    let claimant = claim?.holder
    places.removeAll {
      $0.waiter == nil && now - $0.seenAt >= Patience.placeNanoseconds && $0.holder != claimant
    }
  }

  // MARK: Turns

  /// Lets the right to write stand: until the turn of `holder`, who has just taken it, is over, or
  /// until somebody needs it if nobody waits.
  mutating func letTurnStand(for holder: UInt64, now: Int64) -> Bool {
    if first == nil { return true }
    guard let turn, turn.holder == holder, now - turn.beganAt < Patience.turnNanoseconds else {
      return false
    }
    standingEnd = turn.beganAt + Patience.turnNanoseconds
    // Nobody counts how often he takes it.
    self.turn!.grants = Patience.grantsMinimum
    tellFirst(isTaken: true, now: now)
    return true
  }

  /// Until when the right to write stands for who has it; nil where it may be taken back.
  func standsUntil(_ now: Int64) -> Int64? {
    guard let standingEnd, now < standingEnd else { return nil }
    return standingEnd
  }

  /// It does not stand any more.
  mutating func endStanding() { standingEnd = nil }

  /// Nil if `holder`, who stands in line, can be called now; else when to look again, `max` if he
  /// will be told.
  mutating func wait(of holder: UInt64, isTaken: Bool, now: Int64) -> Int64? {
    if isTaken { return isFirst(holder) ? standsUntil(now) ?? .max : .max }
    if let claim, now < claim.until {
      return claim.holder == holder ? nil : isFirst(holder) ? claim.until : .max
    }
    claim = nil
    guard isFirst(holder) else { return .max }
    if let end = keptUntil(now), turn?.holder != holder || turn?.isOver == true { return end }
    return now < gapUntil ? gapUntil : nil
  }

  private func isFirst(_ holder: UInt64) -> Bool {
    first.map { places[$0].holder == holder } ?? false
  }

  /// Until when the lock is kept for who had it last.
  private func keptUntil(_ now: Int64) -> Int64? {
    guard let end = turn?.keptUntil else { return nil }
    return now < end ? end : nil
  }

  /// Answers the request of `holder`: the lock is free, and for a while his alone. Not if nobody had
  /// to wait for it: then others, who never wait, would be refused for nothing.
  mutating func call(_ holder: UInt64, now: Int64) {
    let hasWaited = index(of: holder).map { places[$0].waiter?.hasRested ?? false } ?? false
    rest(holder, now: now)
    turn = nil
    guard hasWaited || first != nil else { return }
    claim = (holder, now + Patience.graceNanoseconds)
  }

  /// Whether `holder` may take the right to write, which is free.
  mutating func mayTake(_ holder: UInt64, now: Int64) -> Bool {
    if let claim, now < claim.until {
      return claim.holder == holder || isBefore(holder, index(of: claim.holder))
    }
    claim = nil
    guard let first else { return true }
    // Even if he is late, for nobody else has been called meanwhile.
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
    if let index = index(of: holder) {
      // What he waited for on another channel is no longer awaited.
      places.remove(at: index).waiter?.tell(now)
    }
    if claim?.holder == holder { claim = nil }
    if turn?.holder == holder {
      turn!.grants += 1
      turn!.keptUntil = nil
    } else {
      turn = Turn(holder: holder, beganAt: now, grants: 1)
    }
  }

  /// `holder` has given it back.
  mutating func released(by holder: UInt64, isMirrored: Bool, now: Int64) {
    sweep(now)
    if turn?.holder != holder { turn = Turn(holder: holder, beganAt: now, grants: 1) }
    turn!.release(now)
    if turn!.isOver, isMirrored, now >= nextGapAt {
      gapUntil = now + Patience.gapNanoseconds
      nextGapAt = gapUntil + Patience.gapIntervalNanoseconds
    }
    tellFirst(isTaken: false, now: now)
  }

  // MARK: Telling

  /// Has the first who waits for the right to write look when there is something to see for him.
  mutating func tellFirst(isTaken: Bool, now: Int64) {
    guard let first else { return }
    let place = places[first]
    if let time = wait(of: place.holder, isTaken: isTaken, now: now) {
      place.waiter?.tell(time)
    } else {
      place.waiter?.tell(now)
    }
  }

  /// Has those look who wait for anything else.
  func tellOthers(now: Int64) {
    for place in places where !place.lock.isTurn { place.waiter?.tell(now) }
  }

  /// Has those look who hold SHARED: a writer waits for them to go.
  func tellReaders(now: Int64) {
    for place in places where place.isReader { place.waiter?.tell(now) }
  }
}
