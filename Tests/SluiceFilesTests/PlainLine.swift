// The rules of the line, told as definitions over what has happened: places without an order, the
// takings and releases of a turn, and times. What `Line` must agree with.

import SluiceWire

@testable import SluiceFiles

struct PlainLine {
  struct Place {
    var arrival: Int
    var seenAt: Int64
    var lock: AwaitedLock
    var waiter: Int?
    var isReader: Bool
  }

  struct Turn {
    var holder: UInt64
    var takenAt: [Int64]
    var releasedAt: Int64?
    /// Whether the lock stood during the turn, so that nobody counted the takings.
    var stood = false
    /// Whether the holder had said that it would not come back.
    var isLeft = false

    private var age: Int64 { releasedAt! - takenAt[0] }

    var isOver: Bool {
      guard releasedAt != nil else { return false }
      return isLeft || age >= 10_000_000 || age >= 600_000 && (stood || takenAt.count >= 4)
    }

    var keptUntil: Int64? { releasedAt.map { $0 + (isLeft ? 0 : isOver ? 50_000 : 100_000) } }
  }

  struct Notice: Equatable {
    var waiter: Int
    var lookAt: Int64
  }

  var places: [UInt64: Place] = [:]
  private var arrivalCount = 0
  private var turn: Turn?
  private var claim: (holder: UInt64, begunAt: Int64)?
  private var leaver: UInt64?
  private var standingEnd: Int64 = .min
  private var gaps: [Int64] = []

  private func isClaimed(_ now: Int64) -> Bool {
    claim.map { now - $0.begunAt < 5_000_000 } ?? false
  }

  var isIdle: Bool { places.isEmpty && claim == nil }

  /// The handle that is called next.
  var first: UInt64? {
    places.filter { $0.value.waiter != nil && $0.value.lock.isTurn }
      .min { $0.value.arrival < $1.value.arrival }?.key
  }

  mutating func sweep(_ now: Int64) {
    if !isClaimed(now) { claim = nil }
    places = places.filter {
      $0.value.waiter != nil || now < $0.value.seenAt + 250_000_000 || $0.key == claim?.holder
    }
  }

  mutating func enter(
    _ holder: UInt64, _ lock: AwaitedLock, _ waiter: Int?, isReader: Bool, now: Int64
  ) {
    sweep(now)
    if waiter != nil, claim?.holder == holder { claim = nil }
    if waiter != nil, turn?.holder == holder, turn?.releasedAt != nil { turn = nil }
    if let place = places[holder] {
      places[holder]!.seenAt = now
      if waiter != nil {
        places[holder] = Place(
          arrival: place.arrival, seenAt: now, lock: lock, waiter: waiter, isReader: isReader)
      }
    } else {
      arrivalCount += 1
      places[holder] = Place(
        arrival: arrivalCount, seenAt: now, lock: lock, waiter: waiter, isReader: isReader)
    }
  }

  mutating func rest(_ holder: UInt64, now: Int64) {
    places[holder]?.waiter = nil
    places[holder]?.seenAt = now
  }

  mutating func leave(_ holder: UInt64, now: Int64) -> [Notice] {
    if claim?.holder == holder { claim = nil }
    if turn?.holder == holder { turn = nil }
    return notices(places.removeValue(forKey: holder).map { [$0] } ?? [], now)
  }

  private func notices(_ places: [Place], _ lookAt: Int64) -> [Notice] {
    places.sorted { $0.arrival < $1.arrival }.compactMap { place in
      place.waiter.map { Notice(waiter: $0, lookAt: lookAt) }
    }
  }

  mutating func letTurnStand(for holder: UInt64, now: Int64) -> (Bool, [Notice]) {
    guard first != nil else { return (true, []) }
    guard let turn, turn.holder == holder, now < turn.takenAt[0] + 600_000 else {
      return (false, [])
    }
    standingEnd = turn.takenAt[0] + 600_000
    self.turn!.stood = true
    return (true, notifyFirst(isTaken: true, now: now))
  }

  func standsUntil(_ now: Int64) -> Int64? { now < standingEnd ? standingEnd : nil }

  mutating func endStanding() { standingEnd = .min }

  mutating func wait(of holder: UInt64, isTaken: Bool, now: Int64) -> Int64? {
    // A handle that is not the next is told when it is, unless it has been called.
    let isNext = first == holder
    if isTaken { return isNext ? standsUntil(now) ?? .max : .max }
    if isClaimed(now) {
      if claim!.holder == holder { return nil }
      return isNext ? claim!.begunAt + 5_000_000 : .max
    }
    claim = nil
    if !isNext { return .max }
    let isOwnTurn = turn.map { $0.holder == holder && !$0.isOver } ?? false
    if !isOwnTurn, let end = turn?.keptUntil, now < end { return end }
    let gapEnd = (gaps.last ?? .min / 2) + 2_000_000
    return now < gapEnd ? gapEnd : nil
  }

  mutating func call(_ holder: UInt64, hasWaited: Bool, now: Int64) {
    rest(holder, now: now)
    turn = nil
    if hasWaited || first != nil { claim = (holder, now) }
  }

  mutating func mayTake(_ holder: UInt64, now: Int64) -> Bool {
    func isBefore(_ other: UInt64) -> Bool {
      guard let own = places[holder], let other = places[other] else { return false }
      return own.arrival < other.arrival
    }
    if isClaimed(now) { return claim!.holder == holder || isBefore(claim!.holder) }
    claim = nil
    guard let first else { return true }
    let isOwnTurn = turn.map { $0.holder == holder && $0.releasedAt != nil && !$0.isOver } ?? false
    return isOwnTurn || isBefore(first)
  }

  mutating func taken(by holder: UInt64, now: Int64) -> [Notice] {
    if claim?.holder == holder { claim = nil }
    if turn?.holder == holder {
      turn!.takenAt.append(now)
      turn!.releasedAt = nil
    } else {
      turn = Turn(holder: holder, takenAt: [now])
    }
    return notices(places.removeValue(forKey: holder).map { [$0] } ?? [], now)
  }

  mutating func leaves(_ holder: UInt64) { leaver = holder }

  mutating func released(by holder: UInt64, isMirrored: Bool, now: Int64) -> [Notice] {
    sweep(now)
    if turn?.holder != holder { turn = Turn(holder: holder, takenAt: [now]) }
    turn!.releasedAt = now
    turn!.isLeft = leaver == holder
    leaver = nil
    let mayHaveGap = gaps.last.map { now >= $0 + 12_000_000 } ?? true
    if turn!.isOver, isMirrored, mayHaveGap { gaps.append(now) }
    return notifyFirst(isTaken: false, now: now)
  }

  mutating func notifyFirst(isTaken: Bool, now: Int64) -> [Notice] {
    guard let first else { return [] }
    return notices([places[first]!], wait(of: first, isTaken: isTaken, now: now) ?? now)
  }

  func notifyOthers(now: Int64) -> [Notice] {
    notices(places.values.filter { !$0.lock.isTurn }, now)
  }

  func notifyReaders(now: Int64) -> [Notice] {
    notices(places.values.filter(\.isReader), now)
  }
}
