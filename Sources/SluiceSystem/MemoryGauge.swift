// How much memory this process may use for things that it does not strictly need: the smallest
// amount that its control groups and the machine have left, less a reserve for others.
//
// A measurement costs some system calls. Threads: any.

public final class MemoryGauge: Sendable {
  private let group: ControlGroupMemory?
  /// /proc/meminfo.
  private let machine: SharedDescriptor?
  private let machineByteCount: Int64

  /// An eighth of a limit stays for others, within this minimum and maximum.
  private static let reserveMinimum: Int64 = 4 << 20
  private static let reserveMaximum: Int64 = 512 << 20

  /// Opens the files that it reads, all beneath `root` (not zero-terminated).
  public init(_ group: ControlGroup, root: [UInt8] = []) {
    self.group = ControlGroupMemory(group)
    machine = openText(joined(root, "/proc/meminfo"))
    machineByteCount = Int64(physicalMemoryByteCount())
  }

  /// The smallest limit of the control groups; nil if there is none.
  public func groupLimit() -> ControlGroupLimit? { group?.limit() }

  /// The reserve for others, in bytes, of memory with this limit.
  public static func reserve(of limit: Int64) -> Int64 {
    min(max(limit / 8, reserveMinimum), reserveMaximum)
  }

  /// The number of bytes that may be taken; negative if others use that many bytes of the reserve.
  public func surplus() -> Int64 {
    var least = group?.surplus(reserve: MemoryGauge.reserve) ?? .max
    if let machine, let text = readText(machine, byteCountMaximum: 1 << 16),
      let kibibytes = text.number(named: "MemAvailable:"), kibibytes < 1 << 50
    {
      least = min(least, kibibytes << 10 - MemoryGauge.reserve(of: machineByteCount))
    }
    return least
  }
}
