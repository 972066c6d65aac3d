// The file locks of all processes, as the kernel lists them in /proc/locks. Any thread.

internal import SluiceCommand
internal import SluiceSystem

enum LockList {
  struct Lock {
    /// The holder; negative for the lock of an open file description.
    let process: Int32
    /// The file's name and the kernel's line.
    let text: String
  }

  /// The locks in /proc/locks on files in `directory`.
  static func locks(below directory: String) -> [Lock] {
    let lines = (textOfFile("/proc/locks") ?? "").split(separator: "\n")
    if lines.isEmpty { return [] }
    var names: [UInt64: String] = [:]
    for name in (try? unsafe namesInDirectory(zeroTerminated(directory))) ?? [] {
      let text = String(decoding: name, as: UTF8.self)
      guard
        let file = try? unsafe FileDescriptor.open(
          zeroTerminated(directory + "/" + text), .pathOnly),
        let status = try? file.status()
      else { continue }
      names[status.inode] = text
    }
    return lines.compactMap { line in
      // 1: OFDLCK ADVISORY  WRITE -1 fe:00:12345 128 128, or `->` before the type where a process
      // waits.
      let words = line.split(separator: " ")
      guard let place = words.firstIndex(where: { $0.count { $0 == ":" } == 2 }), place > 0,
        let inode = words[place].split(separator: ":").last.flatMap({ UInt64($0) }),
        let name = names[inode]
      else { return nil }
      return Lock(
        process: Int32(words[place - 1]) ?? -1, text: "\(name) is locked: \(line)")
    }
  }
}
