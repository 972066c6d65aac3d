// Less processor time than the machine has: for this process and those that it starts meanwhile.

internal import CSluice
internal import CSluiceCommand
internal import Glibc
internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

enum ProcessorLimit: String {
  case oneProcessor = "one CPU"
  /// Any processor, but only 50 ms of every 100 ms.
  case halfAProcessor = "half a CPU"

  /// Calls `body` under the limit. Fails if this process cannot have the limit.
  func hold<Result>(_ body: () throws(ToolError) -> Result) throws(ToolError) -> Result {
    switch self {
    case .oneProcessor:
      guard sluice_pin() == 0 else { throw .failed("sched_setaffinity: \(lastErrorText())") }
      defer { sluice_unpin() }
      return try body()
    case .halfAProcessor:
      let group = try QuotaGroup(microseconds: 50_000, of: 100_000)
      defer { group.leave() }
      return try body()
    }
  }
}

/// A control group beneath that of this process. This process is in it until it leaves.
private struct QuotaGroup {
  private let parent: String
  private let directory: String

  init(microseconds quota: Int, of period: Int) throws(ToolError) {
    guard let hierarchy = ControlGroup.own.processors else {
      throw .failed("no hierarchy of control groups limits processor time")
    }
    parent = String(decoding: hierarchy.directories[0], as: UTF8.self)
    directory = parent + "/sluice-bench-\(getpid())"
    guard unsafe mkdir(zeroTerminated(directory), 0o700) == 0 else {
      throw .failed("\(directory): \(lastErrorText())")
    }
    do throws(ToolError) {
      if hierarchy.version == 2 {
        try QuotaGroup.write("\(quota) \(period)", to: directory + "/cpu.max")
      } else {
        try QuotaGroup.write("\(period)", to: directory + "/cpu.cfs_period_us")
        try QuotaGroup.write("\(quota)", to: directory + "/cpu.cfs_quota_us")
      }
      try QuotaGroup.write("0", to: directory + "/cgroup.procs")
    } catch {
      leave()
      throw error
    }
  }

  /// Also removes the group, for which the last sidecar in it has to end.
  func leave() {
    try? QuotaGroup.write("0", to: parent + "/cgroup.procs")
    for _ in 0..<500 where unsafe rmdir(zeroTerminated(directory)) != 0 && errno == EBUSY {
      usleep(10_000)
    }
  }

  private static func write(_ text: String, to path: String) throws(ToolError) {
    let file = unsafe open(path, O_WRONLY | O_CLOEXEC)
    guard file >= 0 else { throw .failed("\(path): \(lastErrorText())") }
    defer { close(file) }
    var text = text
    let count = text.withUTF8 { unsafe Glibc.write(file, $0.baseAddress, $0.count) }
    guard count > 0 else { throw .failed("\(path): \(lastErrorText())") }
  }
}
