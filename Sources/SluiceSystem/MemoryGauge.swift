// How much memory there is for what this process could do without: the least of what its control
// groups and the machine have left, less a reserve that stays for others.
//
// A look costs some system calls. Threads: any.

public final class MemoryGauge: Sendable {
  private let group: ControlGroupMemory?
  /// /proc/meminfo.
  private let machine: SharedDescriptor?
  private let machineByteCount: Int64

  /// An eighth of a limit stays for others, but so much at the least and at the most.
  private static let reserveMinimum: Int64 = 4 << 20
  private static let reserveMaximum: Int64 = 512 << 20

  /// Opens what it looks at, all beneath `root` (not zero-terminated).
  public init(_ group: ControlGroup, root: [UInt8] = []) {
    self.group = ControlGroupMemory(group)
    machine = openText(joined(root, "/proc/meminfo"))
    machineByteCount = Int64(physicalMemoryByteCount())
  }

  /// The least limit of the control groups; nil where there is none.
  public func groupLimit() -> ControlGroupLimit? { group?.limit() }

  /// What stays for others of so much memory, in bytes.
  public static func reserve(of limit: Int64) -> Int64 {
    min(max(limit / 8, reserveMinimum), reserveMaximum)
  }

  /// The bytes that may be taken; negative where others need so many of the reserve.
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
