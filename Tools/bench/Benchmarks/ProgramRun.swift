// A run of a program that is not ours, measured by a process between it and the benchmark. That
// process collects all processes that come of the program, its private sidecar too, and so knows the
// processor time of all of them.

internal import CSluiceCommand
internal import Glibc
internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

struct ProgramRun {
  /// From the program's start to its end.
  let nanoseconds: Double
  /// User and system time of all processes that came of it.
  let processorNanoseconds: Double

  /// Runs the program. `sluice run` takes `library` before any other.
  init(_ words: [String], library: String?, on bench: Workbench) throws(ToolError) {
    if let library {
      setEnvironmentValue(zeroTerminated("SLUICE_LIBRARY"), zeroTerminated(library))
    }
    defer { if library != nil { unsafe unsetenv("SLUICE_LIBRARY") } }
    let process = try bench.startPeer("program", nil, words)
    let report = try PeerReport(parsing: process.finish(bench.wait, timeoutSeconds: 3600))
    nanoseconds = try report.value("nanoseconds")
    processorNanoseconds = try report.value("processor")
  }

  // MARK: The measuring process

  /// Ends with the program's exit code if that is not 0. The program has said why.
  static func peer(_ options: inout Options) throws(ToolError) -> PeerReport {
    let words = options.rest()
    guard sluice_adopt_orphans() == 0 else {
      throw .failed("orphans cannot be adopted: \(lastErrorText())")
    }
    let own = getpid()
    var arguments = unsafe words.map { unsafe strdup($0) } + [nil]
    let start = Clock.monotonicNanoseconds()
    let child = sluice_fork()
    if child == 0 {
      sluice_die_with(own)
      unsafe execv(arguments[0]!, &arguments)
      _exit(127)
    }
    guard child > 0 else { throw .system("fork", Errno(-child)) }
    endWithInput()

    var end = start
    var processor = 0.0
    while true {
      var status: Int32 = 0
      var usage = rusage()
      let ended = unsafe wait4(-1, &status, 0, &usage)
      if ended < 0 { break }
      processor += nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime)
      guard ended == child else { continue }
      end = Clock.monotonicNanoseconds()
      // The sidecar of a `sluice run` would wait for more programs.
      for orphan in children { kill(orphan, SIGTERM) }
      if status != 0 { _exit(status & 0x7f == 0 ? status >> 8 : 128 + (status & 0x7f)) }
    }
    var report = PeerReport()
    report.add("nanoseconds", Double(end - start))
    report.add("processor", processor)
    return report
  }

  private static var children: [pid_t] {
    let own = getpid()
    return (textOfFile("/proc/\(own)/task/\(own)/children") ?? "").split(separator: " ").compactMap
    {
      pid_t($0)
    }
  }

  private static func nanoseconds(_ time: timeval) -> Double {
    Double(time.tv_sec) * 1e9 + Double(time.tv_usec) * 1e3
  }
}
