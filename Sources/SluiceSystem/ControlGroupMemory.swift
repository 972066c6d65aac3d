// How much memory the control groups of a process allow, and how much of it is left. The files with
// these numbers are opened once and read again and again, because limits and use change, and a
// confined sidecar cannot open the files later. Of the ancestors, only those with a limit at the
// start stay open, because there may be many ancestors and few descriptors.
//
// The memory left in a group is its limit less its use, plus the memory that the kernel would take
// back by itself: pages of files that were used once. (Memory of a memfd counts as use, and is
// never taken back.)
//
// Threads: any.

/// Holds files of the groups open.
public final class ControlGroupMemory: Sendable {
  private struct Level: Sendable {
    let directory: [UInt8]
    let version: Int
    /// memory.limit_in_bytes; memory.max.
    let limit: SharedDescriptor
    /// memory.high, above which the kernel slows down the group's processes.
    let high: SharedDescriptor?
    /// memory.usage_in_bytes; memory.current.
    let usage: SharedDescriptor?
    let statistics: SharedDescriptor?
  }

  /// In the order of the hierarchy's directories.
  private let levels: [Level]

  /// No limit is this large: version 1 writes a number near 2⁶³ for "none".
  private static let limitMaximum: Int64 = 1 << 60

  /// Nil if nothing can have a limit.
  public init?(_ group: ControlGroup) {
    guard let memory = group.memory else { return nil }
    var levels: [Level] = []
    for directory in memory.directories {
      let isOwn = levels.isEmpty
      if let level = ControlGroupMemory.open(directory, version: memory.version, isOwn: isOwn) {
        levels.append(level)
      }
    }
    if levels.isEmpty { return nil }
    self.levels = levels
  }

  private static func open(_ directory: [UInt8], version: Int, isOwn: Bool) -> Level? {
    let isUnified = version == 2
    func file(_ name: StaticString) -> SharedDescriptor? { openText(joined(directory, name)) }
    guard let limit = file(isUnified ? "/memory.max" : "/memory.limit_in_bytes") else { return nil }
    let high = isUnified ? file("/memory.high") : nil
    guard isOwn || value(limit) != nil || high.flatMap(value) != nil else { return nil }
    return Level(
      directory: directory, version: version, limit: limit, high: high,
      usage: file(isUnified ? "/memory.current" : "/memory.usage_in_bytes"),
      statistics: file("/memory.stat"))
  }

  /// The smallest limit, in bytes; nil without a limit.
  public func limit() -> ControlGroupLimit? {
    var least: ControlGroupLimit?
    for level in levels {
      guard let limit = ControlGroupMemory.limit(of: level) else { continue }
      if limit.value < least?.value ?? .max { least = limit }
    }
    return least
  }

  private static func limit(of level: Level) -> ControlGroupLimit? {
    let most = value(level.limit)
    if let high = level.high.flatMap(value), high < most ?? .max {
      return ControlGroupLimit(value: high, path: joined(level.directory, "/memory.high"))
    }
    let name: StaticString = level.version == 2 ? "/memory.max" : "/memory.limit_in_bytes"
    return most.map { ControlGroupLimit(value: $0, path: joined(level.directory, name)) }
  }

  /// How many more bytes the groups can hold, beyond a reserve that each group keeps. The result is
  /// the smallest number of all groups, and negative if a reserve is in use. `reserve` computes the
  /// reserve from a limit. Nil without limits.
  public func surplus(reserve: (Int64) -> Int64) -> Int64? {
    var least: Int64?
    for level in levels {
      guard let surplus = surplus(of: level, reserve) else { continue }
      least = min(least ?? surplus, surplus)
    }
    return least
  }

  private func surplus(of level: Level, _ reserve: (Int64) -> Int64) -> Int64? {
    guard let limit = ControlGroupMemory.limit(of: level)?.value,
      let usage = level.usage.flatMap(ControlGroupMemory.value)
    else {
      return nil
    }
    let left = limit - min(usage, ControlGroupMemory.limitMaximum) - reserve(limit)
    // Reading the statistics costs more than all other reads together.
    return left >= limit / 4 ? left : left + reclaimable(of: level)
  }

  /// Pages of files that were not used twice, in this group and the groups beneath it.
  private func reclaimable(of level: Level) -> Int64 {
    guard let descriptor = level.statistics,
      let text = readText(descriptor, byteCountMaximum: 1 << 16)
    else { return 0 }
    let name: StaticString = level.version == 2 ? "inactive_file" : "total_inactive_file"
    return min(text.number(named: name) ?? 0, ControlGroupMemory.limitMaximum)
  }

  /// The number in a file with one number; nil for "max" and for anything else that is no number.
  private static func value(_ descriptor: SharedDescriptor) -> Int64? {
    guard var text = readText(descriptor), let line = text.takeLine(), let value = line.number,
      value < ControlGroupMemory.limitMaximum
    else { return nil }
    return value
  }
}
