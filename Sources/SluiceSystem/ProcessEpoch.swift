// Tells a process from a forked copy of it, however it was forked. The mark is in a page that the
// kernel gives to a child filled with zeros (MADV_WIPEONFORK), so a check costs one load.

internal import CSluice
internal import Synchronization

/// Identifies this process among its forked ancestors and descendants.
public struct ProcessEpoch: Sendable {
  private let value: UInt64

  /// Makes the page. To be called before anything else in this file.
  public static func prepare() throws(Errno) {
    if page.load(ordering: .acquiring) != 0 { return }
    var address: UnsafeMutableRawPointer?
    _ = try unsafe check(sluice_map_wiped_on_fork(&address))
    let installed = page.compareExchange(
      expected: 0, desired: UInt(bitPattern: address), ordering: .acquiringAndReleasing
    ).exchanged
    if !installed { _ = unsafe sluice_unmap(address!, UInt64(memoryPageByteCount)) }
  }

  /// The epoch of the calling process. The first call in a process chooses it; a forked child is a
  /// new process.
  public static var current: ProcessEpoch {
    while true {
      let value = unsafe mark.pointee.load(ordering: .acquiring)
      if value != 0 { return ProcessEpoch(value: value) }
      // The clock always advances between a fork and the fork of its child.
      let chosen = UInt64(bitPattern: sluice_monotonic_ns()) | 1
      _ = unsafe mark.pointee.compareExchange(
        expected: 0, desired: chosen, ordering: .acquiringAndReleasing)
    }
  }

  /// False in a process forked since the epoch was taken.
  @inline(__always)
  public var isCurrent: Bool { unsafe ProcessEpoch.mark.pointee.load(ordering: .relaxed) == value }

  private static let page = Atomic<UInt>(0)

  @inline(__always)
  private static var mark: UnsafePointer<Atomic<UInt64>> {
    unsafe UnsafePointer(bitPattern: page.load(ordering: .acquiring)).unsafelyUnwrapped
  }
}
