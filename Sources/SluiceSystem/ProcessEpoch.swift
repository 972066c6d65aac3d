// Tells a process from a forked copy of it, however it was forked. The mark stands in a page that
// the kernel hands to a child full of zeros (MADV_WIPEONFORK), so asking costs one load.

internal import CSluice
internal import Synchronization

/// Identifies this process among its forked ancestors and descendants.
public struct ProcessEpoch: Sendable {
  private let value: UInt64

  /// The epoch of the calling process. The first call in a process (a forked child is a new one)
  /// chooses it.
  public static var current: ProcessEpoch {
    while true {
      let value = unsafe mark.pointee.load(ordering: .acquiring)
      if value != 0 { return ProcessEpoch(value: value) }
      // The clock never stands still between a fork and its fork.
      let chosen = UInt64(bitPattern: sluice_monotonic_ns()) | 1
      _ = unsafe mark.pointee.compareExchange(
        expected: 0, desired: chosen, ordering: .acquiringAndReleasing)
    }
  }

  /// False in a process forked since the epoch was taken.
  @inline(__always)
  public var isCurrent: Bool { unsafe ProcessEpoch.mark.pointee.load(ordering: .relaxed) == value }

  nonisolated(unsafe) private static let mark: UnsafePointer<Atomic<UInt64>> = {
    var address: UnsafeMutableRawPointer?
    let result = unsafe sluice_map_wiped_on_fork(&address)
    precondition(result == 0, "no memory for one page")
    return unsafe UnsafePointer(address!.assumingMemoryBound(to: Atomic<UInt64>.self))
  }()
}
