// How much memory all read windows of a sidecar may take together: never more than its maximum, and
// no more than there is room for now.
//
// The kernel never takes back memory of a window. When there is no memory for one more page of it,
// the kernel kills a process instead of refusing. So the budget asks before it grows, in steps. A
// step is a small part of the memory that is left, because other sidecars may look at the same
// moment. The keeper (WindowKeeper) gives back what others need.
//
// Threads: any.

internal import SluiceChannel
internal import SluiceSystem
internal import Synchronization

final class WindowBudget: Sendable {
  let byteCountMaximum: Int
  /// Whether the windows are sealed, so that no client can write to them. Memory of one comes back
  /// only when nobody maps it any more.
  let isSealed: Bool
  /// Up to here a page gets memory when it is first read, and later when it is read again.
  private let firstReadByteCount: Int
  /// How many bytes may be taken now; below zero, how many should be given back. Nil where only the
  /// maximum counts.
  private let surplus: (@Sendable () -> Int64)?
  private let granulesTaken = Atomic<Int>(0)
  private let granulesAllowed: Atomic<Int>
  /// When to look again after there was no room, by the coarse clock.
  private let retryAt = Atomic<Int64>(.min / 2)
  /// Called after each growth.
  private let growth = FutexLock<(@Sendable () -> Void)?>(nil)

  /// Windows may have so much whether or not there is room: it is less than their sidecar needs
  /// itself.
  static let restByteCount = 1_048_576
  /// Unless a test wants less.
  static let firstReadByteCount = 67_108_864
  /// How far a budget grows at a time.
  private static let stepByteCountMinimum = 262_144
  private static let stepByteCountMaximum = 16_777_216
  /// A step takes the memory that is left, divided by this: so many sidecars may look at the same
  /// moment.
  private static let stepDivisor = 32
  /// How long the budget stays as it is after there was no room.
  private static let refusalNanoseconds: Int64 = 100_000_000
  /// How long it stays as it is after it was lowered.
  private static let recoveryNanoseconds: Int64 = 1_000_000_000

  init(
    byteCountMaximum: Int, isSealed: Bool = true,
    firstReadByteCount: Int = WindowBudget.firstReadByteCount,
    surplus: (@Sendable () -> Int64)? = nil
  ) {
    self.byteCountMaximum = max(0, byteCountMaximum)
    self.isSealed = isSealed
    self.firstReadByteCount = firstReadByteCount
    self.surplus = surplus
    let allowed = surplus == nil ? byteCountMaximum : min(byteCountMaximum, Self.restByteCount)
    granulesAllowed = Atomic(max(0, allowed) / WindowRegion.granuleByteCount)
  }

  /// Has `note` called after each growth, by the thread that needed it.
  func onGrowth(_ note: @escaping @Sendable () -> Void) { growth.withLock { $0 = note } }

  private var granuleCountMaximum: Int { byteCountMaximum / WindowRegion.granuleByteCount }

  /// Of one window. Without any memory it shows at least what is known of the file.
  var granuleCount: Int { max(1, granuleCountMaximum) }

  var byteCountTaken: Int {
    granulesTaken.load(ordering: .relaxed) * WindowRegion.granuleByteCount
  }

  /// Whether there is memory for pages that were never read before.
  var isForFirstReads: Bool { byteCountTaken < firstReadByteCount }

  /// How much may be taken without another look.
  var byteCountAllowed: Int {
    granulesAllowed.load(ordering: .relaxed) * WindowRegion.granuleByteCount
  }

  /// Takes one granule, if there is room.
  func take() -> Bool {
    let taken = granulesTaken.wrappingAdd(1, ordering: .relaxed).newValue
    if taken <= granulesAllowed.load(ordering: .relaxed) { return true }
    if grow(to: taken) { return true }
    granulesTaken.wrappingSubtract(1, ordering: .relaxed)
    return false
  }

  func giveBack(_ count: Int) { granulesTaken.wrappingSubtract(count, ordering: .relaxed) }

  @inline(never)
  private func grow(to wanted: Int) -> Bool {
    guard wanted <= granuleCountMaximum, let surplus else { return false }
    let now = Clock.coarseNanoseconds()
    guard now >= retryAt.load(ordering: .relaxed) else { return false }
    let left = surplus()
    let step = min(
      max(Int(clamping: left) / Self.stepDivisor, Self.stepByteCountMinimum),
      Self.stepByteCountMaximum)
    guard left >= Int64(step) else {
      retryAt.store(now + Self.refusalNanoseconds, ordering: .relaxed)
      return false
    }
    let allowed = min(granuleCountMaximum, wanted + step / WindowRegion.granuleByteCount)
    granulesAllowed.max(allowed, ordering: .relaxed)
    let note = growth.withLock { $0 }
    note?()
    return true
  }

  /// How many bytes should be given back now.
  func excess() -> (byteCount: Int, surplus: Int64) {
    let left = surplus?() ?? .max
    let taken = byteCountTaken
    guard left < 0, taken > Self.restByteCount else { return (0, left) }
    return (min(Int(clamping: left.magnitude), taken - Self.restByteCount), left)
  }

  /// Memory was given back: it is not taken again at once.
  func wasLowered() {
    retryAt.store(Clock.coarseNanoseconds() + Self.recoveryNanoseconds, ordering: .relaxed)
    let rest = min(byteCountMaximum, Self.restByteCount) / WindowRegion.granuleByteCount
    granulesAllowed.store(
      max(rest, granulesTaken.load(ordering: .relaxed)), ordering: .relaxed)
  }
}
