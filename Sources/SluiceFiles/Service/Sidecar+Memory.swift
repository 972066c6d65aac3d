// How much memory a sidecar's read windows may take, and who takes care of that.

internal import SluiceServer
internal import SluiceSystem
internal import SluiceWire

/// To be called before the sidecar is confined: it opens what it looks at later.
///
/// A client of a private sidecar harms itself alone, so its windows need no seal, and their memory can
/// be given back while the client maps them. Of a shared one each client maps the same window.
func makeWindows(
  _ configuration: SidecarConfiguration, isPrivate: Bool, files: FileTable, metrics: Metrics
) -> (WindowBudget, WindowKeeper) {
  let gauge = MemoryGauge(ControlGroup.own)
  let limit = gauge.groupLimit()?.value
  let budget = WindowBudget(
    byteCountMaximum: configuration.shortcuts.contains(.readWindow)
      ? windowByteCountMaximum(configuration.windowByteCountMaximum, groupLimit: limit) : 0,
    isSealed: !isPrivate, surplus: { gauge.surplus() })
  let keeper = WindowKeeper(
    budget, files: files, metrics: metrics, hasGroupLimit: limit != nil)
  return (budget, keeper)
}

/// A quarter of the machine's memory, of the control group's and of this process's addresses, but
/// 4 GiB at the most; `wanted`, if it is not nil, as far as the group has that beside its reserve.
func windowByteCountMaximum(_ wanted: Int?, groupLimit: Int64?) -> Int {
  let group = groupLimit.map { Int(clamping: $0) }
  if let wanted {
    guard let group else { return wanted }
    return min(wanted, max(0, group - Int(MemoryGauge.reserve(of: Int64(group)))))
  }
  let most = min(physicalMemoryByteCount(), addressSpaceByteCount(), group ?? .max)
  return min(most / 4, 4 << 30)
}
