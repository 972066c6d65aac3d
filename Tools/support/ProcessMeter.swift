// The processor time and the memory of another process, as the kernel counts them.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem

package struct ProcessMeter {
  private let process: Int32

  package init(process: Int32) { self.process = process }

  /// Nanoseconds that all threads of the process have spent on a processor since they began
  /// (/proc/PID/task/*/schedstat). Threads that have ended are not counted.
  package var processorNanoseconds: Int64 {
    let tasks = "/proc/\(process)/task"
    return ((try? unsafe namesInDirectory(zeroTerminated(tasks))) ?? []).reduce(0) { sum, name in
      let path = "\(tasks)/\(String(decoding: name, as: UTF8.self))/schedstat"
      return sum + (textOfFile(path)?.split(separator: " ").first.flatMap { Int64($0) } ?? 0)
    }
  }

  /// The process's own and shared memory (Pss_Anon and Pss_Shmem in /proc/PID/smaps_rollup): its
  /// resident pages, each shared page divided by the number of processes that map it. Pages of
  /// programs and libraries are left out, because their share depends on what else runs.
  package var memoryKibibytes: Double? {
    guard let text = textOfFile("/proc/\(process)/smaps_rollup") else { return nil }
    return text.split(separator: "\n").reduce(0) { sum, line in
      guard line.hasPrefix("Pss_Anon:") || line.hasPrefix("Pss_Shmem:") else { return sum }
      return sum + (line.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? 0)
    }
  }
}
