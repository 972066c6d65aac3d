// Locks that stand in the channel: the driver takes and gives back such a lock without a request,
// where the word allows it. The model must grant every lock taken so.
//
// A client believes the word only for a second after the last answer, because a stopped sidecar may
// have lost its lease. Here no process outside opens the files, so the word is always right.

internal import SluiceWire

extension ModelDriver {
  /// Does a step by the word alone; false where it needs a request.
  func runStanding(
    _ step: ModelStep, _ handle: ModelHandle, index: Int
  ) throws(HarnessError) -> Bool {
    guard let change = standingChange(step, handle) else { return false }
    // A request under way may be about this very lock.
    try flush()
    guard let channel = client(Int(step.session)).channels[Int(handle.channel)] else {
      return false
    }
    let isDone =
      change.takes
      ? channel.takeStanding(lock: change.lock, alone: change.alone)
      : channel.giveBackStanding(lock: change.lock)
    guard isDone else { return false }
    let expected = model.expect(step)
    guard let expected, expected.status == .done else {
      failedIndex = index
      throw .difference(
        "\(step.text): the lock stands, but the answer would be \((expected?.status).wording)")
    }
    countStanding()
    return true
  }

  /// The lock of the word that a step takes or gives back; nil for other steps.
  private func standingChange(
    _ step: ModelStep, _ handle: ModelHandle
  ) -> (lock: Int, takes: Bool, alone: Bool)? {
    switch step.kind {
    case .lock: return step.value == 1 && handle.level == .none ? (8, true, false) : nil
    case .unlock: return step.value == 0 && handle.level == .shared ? (8, false, false) : nil
    default: break
    }
    guard step.count == 1, let held = handle.indexLocks else { return nil }
    let lock = Int(step.at)
    let isHeld = (held.shared | held.exclusive) >> UInt8(lock) & 1 == 1
    switch WALLockKind(rawValue: UInt64(step.value)) {
    case .unlock: return isHeld ? (lock, false, false) : nil
    case .shared: return isHeld ? nil : (lock, true, false)
    case .exclusive: return isHeld ? nil : (lock, true, true)
    case nil: return nil
    }
  }
}
