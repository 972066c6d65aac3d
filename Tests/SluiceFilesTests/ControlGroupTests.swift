// Control groups in trees of files that a test made, and the limits that follow from them.

import Foundation
import Testing

@testable import SluiceSystem

/// A /proc and a /sys of the test's own.
private final class FakeTree {
  let directory: URL

  init() throws {
    directory = FileManager.default.temporaryDirectory
      .appending(path: "sluice-groups-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: directory) }

  var root: [UInt8] { Array(directory.path.utf8) }

  func put(_ path: String, _ text: String) throws {
    let file = directory.appending(path: path)
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try text.write(to: file, atomically: false, encoding: .utf8)
  }

  /// What /proc says of this process: its groups, and "root place type options" for each mount.
  func putProcess(groups: String, mounts: [String]) throws {
    try put("proc/self/cgroup", groups)
    let lines = mounts.enumerated().map { index, mount in
      let words = mount.split(separator: " ")
      return "\(30 + index) 24 0:\(26 + index) \(words[0]) \(words[1]) rw,nosuid shared:9 - "
        + "\(words[2]) cgroup \(words[3])\n"
    }
    try put("proc/self/mountinfo", "24 1 8:1 / / rw - ext4 /dev/sda rw\n" + lines.joined())
  }

  var group: ControlGroup { ControlGroup(root: root) }

  func limit() -> String? {
    guard let limit = ControlGroupMemory(group)?.limit() else { return nil }
    return "\(limit.value) \(String(decoding: limit.path.dropFirst(root.count), as: UTF8.self))"
  }

  func processors() -> Int64? { group.processorLimit()?.value }
}

struct ControlGroupTests {
  private let tree: FakeTree

  init() throws { tree = try FakeTree() }

  private let unified = ["/ /sys/fs/cgroup cgroup2 rw"]

  @Test func theLeastOfTheGroupAndItsAncestorsCounts() throws {
    try tree.putProcess(groups: "0::/a/b/c\n", mounts: unified)
    #expect(tree.limit() == nil)
    #expect(tree.processors() == nil)
    for (path, text) in [("a/b/c", "max"), ("a/b", "100000000"), ("a", "300000000")] {
      try tree.put("sys/fs/cgroup/\(path)/memory.max", text + "\n")
    }
    try tree.put("sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n")
    try tree.put("sys/fs/cgroup/a/cpu.max", "150000 100000\n")
    #expect(tree.limit() == "100000000 /sys/fs/cgroup/a/b/memory.max")
    #expect(tree.processors() == 1500)
    try tree.put("sys/fs/cgroup/a/memory.high", "90000000\n")
    #expect(tree.limit() == "90000000 /sys/fs/cgroup/a/memory.high")
    try tree.put("sys/fs/cgroup/a/b/c/memory.max", "80000000\n")
    #expect(tree.limit() == "80000000 /sys/fs/cgroup/a/b/c/memory.max")
  }

  @Test func versionOneIsReadWhereItHasTheController() throws {
    try tree.putProcess(
      groups: "5:cpu,cpuacct:/x\n4:memory:/x/y\n1:name=systemd:/\n0::/z\n",
      mounts: [
        "/ /sys/fs/cgroup/unified cgroup2 rw", "/ /sys/fs/cgroup/cpu cgroup rw,cpu,cpuacct",
        "/ /sys/fs/cgroup/memory cgroup rw,memory",
      ])
    try tree.put("sys/fs/cgroup/unified/z/memory.max", "1000\n")
    try tree.put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
    try tree.put("sys/fs/cgroup/memory/x/y/memory.limit_in_bytes", "9223372036854771712\n")
    #expect(tree.limit() == nil)
    try tree.put("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "50000000\n")
    #expect(tree.limit() == "50000000 /sys/fs/cgroup/memory/x/memory.limit_in_bytes")
    try tree.put("sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "-1\n")
    try tree.put("sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n")
    #expect(tree.processors() == nil)
    try tree.put("sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "50000\n")
    #expect(tree.processors() == 500)
  }

  /// Version 1 may be there for other controllers only.
  @Test func theUnifiedHierarchyHasWhatVersionOneHasNot() throws {
    try tree.putProcess(
      groups: "3:cpuset:/\n0::/z\n",
      mounts: ["/ /sys/fs/cgroup/cpuset cgroup rw,cpuset", "/ /sys/fs/cgroup/unified cgroup2 rw"])
    try tree.put("sys/fs/cgroup/unified/z/memory.max", "70000000\n")
    #expect(tree.limit() == "70000000 /sys/fs/cgroup/unified/z/memory.max")
  }

  /// The mount shows the container's part of the hierarchy, by names of the host or of a namespace.
  @Test(arguments: [
    ("/docker/12", "/docker/12"), ("/docker/12/in", "/docker/12"), ("/", "/"),
    // Names that are relative to another root than the mount's.
    ("/", "/docker/12"), ("/../other", "/docker/12"), ("/docker/123", "/docker/12"),
  ])
  func containersGroupIsFound(group: String, root: String) throws {
    try tree.putProcess(groups: "0::\(group)\n", mounts: ["\(root) /sys/fs/cgroup cgroup2 rw"])
    try tree.put("sys/fs/cgroup/memory.max", "60000000\n")
    #expect(tree.limit() == "60000000 /sys/fs/cgroup/memory.max")
    try tree.put("sys/fs/cgroup/in/memory.max", "50000000\n")
    #expect(tree.limit()?.hasPrefix(group.hasSuffix("/in") ? "5" : "6") == true)
  }

  @Test func placesWithSpacesAndColonsAreFound() throws {
    try tree.putProcess(groups: "0::/a:b/c d\n", mounts: ["/ /my\\040groups cgroup2 rw"])
    try tree.put("my groups/a:b/c d/memory.max", "4096\n")
    #expect(tree.limit() == "4096 /my groups/a:b/c d/memory.max")
  }

  @Test(arguments: ["", "max", "-1", "12x", "0x10", "99999999999999999999", "1 2 3", "\n\n", " "])
  func whatIsNoNumberIsNoLimit(text: String) throws {
    try tree.putProcess(groups: "0::/a\n", mounts: unified)
    try tree.put("sys/fs/cgroup/a/memory.max", text)
    try tree.put("sys/fs/cgroup/a/cpu.max", text)
    #expect(tree.limit() == nil)
    if text != "1 2 3" { #expect(tree.processors() == nil) }
  }

  @Test(arguments: [
    ("", ""), ("0::", "x"), ("nonsense\n:\n::\n0:", "1 2 3 4 5\n- - -\n"), ("0::/a\n", ""),
    ("0::/a/\(String(repeating: "b/", count: 2000))\n", nil),
    (String(repeating: "x", count: 80_000), nil),
  ])
  func nonsenseIsNoLimit(groups: String, mounts: String?) throws {
    try tree.putProcess(groups: groups, mounts: unified)
    if let mounts { try tree.put("proc/self/mountinfo", mounts) }
    #expect(tree.limit() == nil)
    #expect(tree.processors() == nil)
  }

  @Test func withoutProcThereIsNoLimit() { #expect(tree.limit() == nil) }

  @Test func theSurplusFollowsTheUseAndWhatCanBeReclaimed() throws {
    try tree.putProcess(groups: "0::/a\n", mounts: unified)
    try tree.put("sys/fs/cgroup/a/memory.max", "100000000\n")
    try tree.put("sys/fs/cgroup/a/memory.current", "10000000\n")
    try tree.put("sys/fs/cgroup/a/memory.stat", "anon 5\ninactive_file 30000000\nfile 9\n")
    try tree.put("proc/meminfo", "MemTotal: 1000000 kB\nMemAvailable:   99999999999 kB\n")
    let gauge = MemoryGauge(tree.group, root: tree.root)
    let reserve = MemoryGauge.reserve(of: 100_000_000)
    #expect(reserve == 12_500_000)
    #expect(gauge.surplus() == 90_000_000 - reserve, "there is enough without")
    try tree.put("sys/fs/cgroup/a/memory.current", "95000000\n")
    #expect(gauge.surplus() == 35_000_000 - reserve)
    try tree.put("sys/fs/cgroup/a/memory.stat", "anon 5\n")
    #expect(gauge.surplus() == 5_000_000 - reserve)
    try tree.put("sys/fs/cgroup/a/memory.max", "50000000\n")
    #expect(gauge.surplus() == -45_000_000 - 6_250_000)
    try tree.put("sys/fs/cgroup/a/memory.max", "max\n")
    try tree.put("proc/meminfo", "MemTotal: 1000000 kB\nMemAvailable:   1024 kB\n")
    #expect(gauge.surplus() == 1 << 20 - MemoryGauge.reserve(of: Int64(physicalMemoryByteCount())))
  }

  @Test func thisMachinesOwnCanBeRead() {
    // Whatever it is: it neither traps nor is it negative.
    let group = ControlGroup()
    if let limit = ControlGroupMemory(group)?.limit() { #expect(limit.value >= 0) }
    if let limit = group.processorLimit() { #expect(limit.value >= 0) }
    #expect(processorCount >= 1)
  }
}
