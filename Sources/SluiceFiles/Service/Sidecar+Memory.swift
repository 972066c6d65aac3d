// How much memory a sidecar's read windows may take. The keeper sees to it (WindowKeeper).

internal import SluiceServer
internal import SluiceSystem
internal import SluiceWire

/// Must be called before the sidecar is confined, because it opens the files in which it looks
/// later.
///
/// The windows of a private sidecar need no seal, because its one client could only harm itself. So
/// their memory can be given back while the client maps them. The windows of a shared sidecar are
/// sealed, because all clients map the same window.
func makeWindows(
  _ configuration: SidecarConfiguration, files: FileTable, metrics: Metrics
) -> (WindowBudget, WindowKeeper) {
  let gauge = MemoryGauge(ControlGroup.own)
  let limit = gauge.groupLimit()?.value
  let budget = WindowBudget(
    byteCountMaximum: configuration.shortcuts.contains(.readWindow)
      ? windowByteCountMaximum(configuration.windowByteCountMaximum, groupLimit: limit) : 0,
    isSealed: !configuration.isPrivate, surplus: { gauge.surplus() })
  let keeper = WindowKeeper(
    budget, files: files, metrics: metrics, hasGroupLimit: limit != nil)
  return (budget, keeper)
}

/// A quarter of the least of these: the machine's memory, the control group's limit, this process's
/// addresses; 4 GiB at the most. If `wanted` is not nil: `wanted`, as far as the group has it
/// beside its reserve.
func windowByteCountMaximum(_ wanted: Int?, groupLimit: Int64?) -> Int {
  let group = groupLimit.map { Int(clamping: $0) }
  if let wanted {
    guard let group else { return wanted }
    return min(wanted, max(0, group - Int(MemoryGauge.reserve(of: Int64(group)))))
  }
  let most = min(physicalMemoryByteCount(), addressSpaceByteCount(), group ?? .max)
  return min(most / 4, 4 << 30)
}
