// The word of the standing locks, changed by both sides in any order. With two honest sides the
// word must agree with a plain list of the locks. A dishonest client writes anything there.

import SluiceSystem

@testable import SluiceChannel

struct StandingLockTarget: FuzzTarget {
  static let name = "standing-locks"

  private let regions: RawRegions

  init() throws { regions = try RawRegions(RawRegions.smallShape) }

  static func seeds(from vectors: SeedVectors) -> [[UInt8]] {
    // Granted, given back, taken, wanted, given back; then an arbitrary word.
    [
      [0, 1, 0, 1, 1, 1, 4, 1, 0, 0, 1, 5, 0, 1, 1, 1],
      [6, 255, 255, 255, 255, 255, 255, 255, 255, 3],
    ]
  }

  func run(_ input: [UInt8]) {
    regions.clear()
    let channel = regions.attach()
    let standing = channel.standingLocks
    var input = FuzzInput(input)
    // Nil once the client has lied.
    var model: [LockModel]? = Array(repeating: LockModel(), count: 9)
    for _ in 0..<256 where !input.isEmpty {
      let command = input.choice(7)
      let locks = LockSet(rawValue: UInt32(input.number(UInt16.self)))
      switch command {
      case 0, 1:
        let isAlone = input.flag()
        let taken = standing.take(locks, alone: isAlone)
        model?.take(locks, alone: isAlone, taken)
      case 2: model?.giveBack(locks, standing.giveBack(locks))
      case 3:
        let alone = LockSet(rawValue: UInt32(input.number(UInt16.self))).intersection(locks)
        let use: StandingLocks.Use = [.none, .shared, .alone][input.choice(3)]
        standing.grant(locks, alone: alone, use)
        model?.grant(locks, alone: alone, use)
      case 4:
        let toShare = input.flag()
        let back = standing.takeBack(locks, toShare: toShare)
        require(back.freed.isDisjoint(with: back.shared), "freed is not shared")
        require(back.freed.union(back.shared).isSubset(of: locks), "only the wanted locks")
        model?.takeBack(locks, toShare: toShare, back)
      case 5:
        standing.forget(locks)
        model?.forget(locks)
      default:
        regions.standing = input.number()
        model = nil
      }
      if let model { require(model.word == regions.standing, "\(model) is \(regions.standing)") }
    }
    // Whatever the word is, the proxy gets back the locks that it asks for.
    standing.forget(.all)
    require(standing.takeBack(.all, toShare: false).freed == .all, "nothing is in use")
  }
}

/// One lock, as in the table at the top of StandingLocks.swift.
private struct LockModel {
  var granted = false
  var alone = false
  var used = false
  var usedAlone = false
  var wanted = false
}

extension [LockModel] {
  private func indices(of locks: LockSet) -> [Int] {
    indices.filter { locks.rawValue >> UInt32($0) & 1 == 1 }
  }

  /// This state as a word.
  fileprivate var word: UInt64 {
    var word: UInt64 = 0
    for (index, lock) in enumerated() {
      let bits = [lock.granted, lock.alone, lock.used, lock.usedAlone, lock.wanted]
      for (part, bit) in bits.enumerated() where bit { word |= 1 << UInt64(12 * part + index) }
    }
    return word
  }

  fileprivate mutating func take(_ locks: LockSet, alone: Bool, _ taken: Bool) {
    let all = indices(of: locks)
    let can = all.allSatisfy {
      self[$0].granted && !self[$0].used && !self[$0].wanted && (self[$0].alone || !alone)
    }
    require(taken == can, "take \(locks) of \(self)")
    guard taken else { return }
    for index in all {
      self[index].used = true
      if alone { self[index].usedAlone = true }
    }
  }

  fileprivate mutating func giveBack(_ locks: LockSet, _ given: Bool) {
    let all = indices(of: locks)
    let can = all.allSatisfy { self[$0].granted && self[$0].used && !self[$0].wanted }
    require(given == can, "give back \(locks) of \(self)")
    guard given else { return }
    for index in all {
      self[index].used = false
      self[index].usedAlone = false
    }
  }

  fileprivate mutating func grant(_ locks: LockSet, alone: LockSet, _ use: StandingLocks.Use) {
    for index in indices(of: locks) {
      self[index] = LockModel(
        granted: true, used: use != .none, usedAlone: use == .alone)
    }
    for index in indices(of: alone) { self[index].alone = true }
  }

  fileprivate mutating func takeBack(
    _ locks: LockSet, toShare: Bool, _ back: (freed: LockSet, shared: LockSet)
  ) {
    for index in indices(of: locks) {
      let lock = self[index]
      let bit = LockSet(rawValue: 1 << UInt32(index))
      require(back.freed.contains(bit) == !lock.used, "an unused lock is freed")
      require(back.shared.contains(bit) == (lock.used && !lock.usedAlone), "a used one is shared")
      if !lock.used {
        self[index] = LockModel()
      } else {
        self[index].granted = true
        if !lock.usedAlone { self[index].alone = false }
        if lock.usedAlone || !toShare { self[index].wanted = true }
      }
    }
  }

  fileprivate mutating func forget(_ locks: LockSet) {
    for index in indices(of: locks) { self[index] = LockModel() }
  }
}
