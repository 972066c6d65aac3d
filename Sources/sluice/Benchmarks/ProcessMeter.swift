// What the kernel says of another process: its processor time and its memory.

internal import CSluice
internal import SluiceSystem

struct ProcessMeter {
  let process: Int32

  /// Nanoseconds that all threads of the process have spent on a processor since they began
  /// (/proc/PID/task/*/schedstat). A thread that has ended takes its time with it.
  var processorNanoseconds: Int64 {
    let tasks = "/proc/\(process)/task"
    return ((try? unsafe namesInDirectory(zeroTerminated(tasks))) ?? []).reduce(0) { sum, name in
      let path = "\(tasks)/\(String(decoding: name, as: UTF8.self))/schedstat"
      return sum + (textOfFile(path)?.split(separator: " ").first.flatMap { Int64($0) } ?? 0)
    }
  }

  /// The process's own and shared memory (Pss_Anon and Pss_Shmem in /proc/PID/smaps_rollup): what
  /// is resident, each shared page divided by the number of processes that have it mapped. Without
  /// the pages of programs and libraries, whose share depends on who else runs them.
  var memoryKibibytes: Double? {
    guard let text = textOfFile("/proc/\(process)/smaps_rollup") else { return nil }
    return text.split(separator: "\n").reduce(0) { sum, line in
      guard line.hasPrefix("Pss_Anon:") || line.hasPrefix("Pss_Shmem:") else { return sum }
      return sum + (line.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? 0)
    }
  }
}

/// A small file as text, such as those in /proc.
func textOfFile(_ path: String) -> String? {
  guard let file = try? unsafe FileDescriptor.open(zeroTerminated(path), .readOnly) else {
    return nil
  }
  var bytes = [UInt8](repeating: 0, count: 1 << 18)
  let count = try? unsafe bytes.withUnsafeMutableBytes { (bytes) throws(Errno) in
    try unsafe file.read(into: bytes, at: 0)
  }
  return count.map { String(decoding: bytes[..<$0], as: UTF8.self) }
}
