// SQLite's five-level locks of one file, as os_unix.c has them: what `SharedFile` must agree with.

import SluiceWire

struct LockModel {
  private(set) var levels: [LockLevel]
  /// The holders that have taken RESERVED since they held nothing more than SHARED.
  private var wereReserved: [Bool]

  init(holderCount: Int) {
    levels = Array(repeating: .none, count: holderCount)
    wereReserved = Array(repeating: false, count: holderCount)
  }

  mutating func lock(_ holder: Int, _ level: LockLevel) -> Status {
    let held = levels[holder]
    // Nothing and PENDING are never asked for; a holder that wants more than SHARED must have
    // SHARED.
    if level == .none || level == .pending { return .misuse }
    if level > .shared, held == .none { return .misuse }
    if held >= level { return .done }
    let others = levels.indices.filter { $0 != holder }.map { levels[$0] }
    let highest = others.max() ?? .none
    if highest >= .pending { return .busy }
    if level > .shared, highest >= .reserved { return .busy }
    if level == .exclusive, highest >= .shared {
      // It waits at PENDING for the readers to go.
      levels[holder] = .pending
      return .busyPending
    }
    levels[holder] = level
    if level == .reserved { wereReserved[holder] = true }
    return .done
  }

  mutating func unlock(_ holder: Int, _ level: LockLevel) -> Status {
    if level > .shared { return .misuse }
    levels[holder] = min(levels[holder], level)
    wereReserved[holder] = false
    return .done
  }

  mutating func close(_ holder: Int) {
    levels[holder] = .none
    wereReserved[holder] = false
  }

  var isReserved: Bool { wereReserved.contains(true) }
}
