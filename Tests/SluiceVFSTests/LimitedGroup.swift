// A control group with a limit, for the programs of one test. It has the machine's version, 1 or 2.
// It is removed when its programs have ended.

import Foundation
import Glibc

/// Confined to its test.
final class LimitedGroup {
  private let directory: String

  /// Whether root may make groups with limits of memory, or of processor time, here.
  static let canLimitMemory = (try? LimitedGroup(memoryMebibytes: 64)) != nil
  static let canLimitProcessors = (try? LimitedGroup(processorPercent: 50)) != nil

  init(memoryMebibytes: Int) throws {
    let byteCount = "\(memoryMebibytes << 20)"
    directory = try LimitedGroup.make("memory") { isUnified in
      isUnified
        ? [("memory.max", byteCount), ("memory.swap.max", "0")]
        : [("memory.limit_in_bytes", byteCount), ("memory.memsw.limit_in_bytes", byteCount)]
    }
  }

  /// `processorPercent` of one processor.
  init(processorPercent: Int) throws {
    let quota = "\(processorPercent * 1000)"
    directory = try LimitedGroup.make("cpu") { isUnified in
      isUnified
        ? [("cpu.max", quota + " 100000")]
        : [("cpu.cfs_quota_us", quota), ("cpu.cfs_period_us", "100000")]
    }
  }

  deinit {
    for _ in 0..<100 where unsafe rmdir(directory) != 0 && errno == EBUSY { usleep(50_000) }
  }

  /// The words that start a program in the group.
  var prefix: [String] {
    ["sh", "-c", "echo $$ > \"$0\" && exec \"$@\"", directory + "/cgroup.procs"]
  }

  /// How much memory the memfds of its programs have, in MiB.
  var sharedMebibytes: Int {
    let text = (try? String(contentsOfFile: directory + "/memory.stat", encoding: .utf8)) ?? ""
    for line in text.split(separator: "\n") where line.hasPrefix("shmem ") {
      return (Int(line.dropFirst(6)) ?? 0) >> 20
    }
    return 0
  }

  /// Makes a group and writes its limits. The kernel must accept the first one.
  private static func make(
    _ controller: String, _ limits: (Bool) -> [(name: String, value: String)]
  ) throws -> String {
    let root = "/sys/fs/cgroup"
    let isUnified = unsafe access("\(root)/\(controller)", F_OK) != 0
    let place = isUnified ? root : "\(root)/\(controller)"
    let directory = "\(place)/sluice-test-\(UUID().uuidString.prefix(12))"
    guard unsafe mkdir(directory, 0o755) == 0 else { throw Overdue("mkdir \(directory): \(errno)") }
    for (index, limit) in limits(isUnified).enumerated() {
      let file = unsafe open("\(directory)/\(limit.name)", O_WRONLY)
      let written = unsafe limit.value.withCString { unsafe write(file, $0, strlen($0)) }
      close(file)
      if index == 0, written <= 0 {
        _ = unsafe rmdir(directory)
        throw Overdue("no limit for \(controller)")
      }
    }
    return directory
  }
}
