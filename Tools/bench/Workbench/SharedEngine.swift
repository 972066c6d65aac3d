// `sluice engine` as the benchmarks start it.

internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

/// `sluice engine` over the benchmark's files.
final class SharedEngine {
  let socket: String
  private let process: MeasuredProcess

  var id: Int32 { process.id }

  init(
    on bench: Workbench, hasOwnFiles: Bool = false, services: String = "sql,records"
  ) throws(ToolError) {
    socket = bench.path(bench.freshName()) + ".socket"
    do throws(Errno) {
      process = try MeasuredProcess(
        [
          bench.sidecarProgram, "engine", "--root", bench.path("."), "--socket", socket, "--quiet",
          "--services", services,
        ] + (hasOwnFiles ? ["--own-files"] : []))
    } catch {
      throw .system(bench.sidecarProgram, error)
    }
    for _ in 0..<10_000 {
      if (try? unsafe FileDescriptor.connect(toSocket: zeroTerminated(socket))) != nil { return }
      try bench.wait.sleep(nanoseconds: 1_000_000)
    }
    stop()
    throw .failed("the engine did not start")
  }

  func stop() { process.stop() }
}
