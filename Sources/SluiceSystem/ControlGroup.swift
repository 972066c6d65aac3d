// The control groups of this process, of version 1, 2 or both: their directories, and how much
// processor time they allow. ControlGroupMemory says how much memory they allow.
//
// The limits of a group's ancestors bind the group too. Ancestors above the mount, or above the
// root of the process's namespace, cannot be seen and so do not count. Every file is read once, up
// to a maximum size. A file that is absent or makes no sense counts as no limit.
//
// /proc/self/cgroup names a group beneath the root of its hierarchy. /proc/self/mountinfo says
// which part of the hierarchy is mounted where. In a container the mount may show only the group's
// own part, and the two names may be relative to different roots.

/// A limit, and the file that contains it.
public struct ControlGroupLimit: Sendable {
  public var value: Int64
  /// Not zero-terminated.
  public var path: [UInt8]
}

public struct ControlGroup: Sendable {
  /// The directories of one controller.
  public struct Hierarchy: Sendable {
    /// 1 or 2.
    public let version: Int
    /// The directory of the process's own group, not zero-terminated, and how many of its bytes
    /// name the topmost visible directory.
    fileprivate let path: [UInt8]
    fileprivate let topByteCount: Int

    /// The directories from the process's own group to the topmost visible one; not
    /// zero-terminated.
    public var directories: [[UInt8]] {
      var found: [[UInt8]] = []
      forEach { found.append($0) }
      return found
    }

    func forEach(_ body: ([UInt8]) -> Void) {
      var directory = path
      for _ in 0..<levelsMaximum {
        body(directory)
        while directory.count > topByteCount, directory.removeLast() != slash {}
        if directory.count <= topByteCount { break }
      }
      if path.count > topByteCount { body(directory) }
    }
  }

  /// This process's group at the time of the first request.
  public static let own = ControlGroup()

  /// Nil if no controller for it is mounted.
  public let memory: Hierarchy?
  public let processors: Hierarchy?

  /// Reads /proc and the files that it names, all beneath `root` (not zero-terminated), because a
  /// test has its own tree.
  public init(root: [UInt8] = []) {
    guard
      let groups = readText(joined(root, "/proc/self/cgroup"), byteCountMaximum: 1 << 16),
      let mounts = readText(joined(root, "/proc/self/mountinfo"), byteCountMaximum: 1 << 20)
    else {
      memory = nil
      processors = nil
      return
    }
    memory = ControlGroup.find("memory", in: groups, mounts, root)
    processors = ControlGroup.find("cpu", in: groups, mounts, root)
  }

  /// How much processor time the group may have, in thousandths of one processor; nil without a
  /// limit.
  public func processorLimit() -> ControlGroupLimit? {
    var least: ControlGroupLimit?
    processors?.forEach { directory in
      guard let limit = quota(in: directory, version: processors?.version ?? 0) else { return }
      if limit.value < least?.value ?? .max { least = limit }
    }
    return least
  }

  private func quota(in directory: [UInt8], version: Int) -> ControlGroupLimit? {
    let path = joined(directory, version == 2 ? "/cpu.max" : "/cpu.cfs_quota_us")
    guard var line = firstLine(path), let quota = line.takeWord()?.number else { return nil }
    if version == 1 {
      guard let other = firstLine(joined(directory, "/cpu.cfs_period_us")) else { return nil }
      line = other
    }
    guard let period = line.takeWord()?.number, quota > 0, quota < 1 << 50, period > 0 else {
      return nil
    }
    return ControlGroupLimit(value: quota * 1000 / period, path: path)
  }

  private func firstLine(_ path: [UInt8]) -> PlainText? {
    guard var text = readText(path) else { return nil }
    return text.takeLine()
  }

  // MARK: Directories

  /// A controller is in a hierarchy of version 1 if /proc/self/cgroup says so, else in the
  /// hierarchy of version 2.
  private static func find(
    _ controller: StaticString, in groups: PlainText, _ mounts: PlainText, _ root: [UInt8]
  ) -> Hierarchy? {
    var groups = groups
    var unified: PlainText?
    while var line = groups.takeLine() {
      guard let hierarchy = line.take(upTo: colon), let controllers = line.take(upTo: colon) else {
        continue
      }
      if controllers.isEmpty {
        if hierarchy == "0" { unified = line }
      } else if controllers.lists(controller),
        let found = directories(of: line, controller, in: mounts, root)
      {
        return found
      }
    }
    guard let unified else { return nil }
    return directories(of: unified, nil, in: mounts, root)
  }

  /// The directories of `group`, a path in the hierarchy of version 1 with that controller, or in
  /// the hierarchy of version 2 (nil). Nil if the hierarchy is not mounted.
  private static func directories(
    of group: PlainText, _ controller: StaticString?, in mounts: PlainText, _ root: [UInt8]
  ) -> Hierarchy? {
    var mounts = mounts
    var other: Hierarchy?
    while let line = mounts.takeLine() {
      guard let mount = Mount(line), mount.shows(controller) else { continue }
      var path = root
      appendUnescaped(mount.place, to: &path)
      let top = path.count
      var above: [UInt8] = []
      appendUnescaped(mount.root, to: &above)
      let rest = rest(of: group, beneath: above)
      if var rest {
        while let step = rest.takeWord(slash) {
          path.append(slash)
          step.append(to: &path)
        }
      }
      let found = Hierarchy(
        version: controller == nil ? 2 : 1, path: path, topByteCount: top)
      if rest != nil { return found }
      if other == nil { other = found }
    }
    // The mount is not known to contain the group. In a container, the mount is the group itself.
    return other
  }

  /// The path from `root` to `path`; nil if `path` is not beneath `root`.
  private static func rest(of path: PlainText, beneath root: [UInt8]) -> PlainText? {
    var path = path
    var steps = path
    while let step = steps.takeWord(slash) {
      if step == ".." { return nil }
    }
    var above = PlainText(root)
    while let step = above.takeWord(slash) {
      guard let own = path.takeWord(slash), own == step else { return nil }
    }
    return path
  }
}

/// How many groups are read, from the process's own upwards.
private let levelsMaximum = 32
private let colon = UInt8(ascii: ":")
private let slash = UInt8(ascii: "/")

/// A line of /proc/self/mountinfo: "36 35 98:0 /root /place options optional… - type source
/// options".
private struct Mount {
  let root: PlainText
  let place: PlainText
  private let isUnified: Bool
  private let options: PlainText

  /// Nil for a line of anything but a hierarchy of control groups.
  init?(_ line: PlainText) {
    var line = line
    for _ in 0..<3 { _ = line.takeWord() }
    guard let root = line.takeWord(), let place = line.takeWord(), line.takeWord() != nil else {
      return nil
    }
    while let field = line.takeWord() {
      if field == "-" { break }
    }
    guard let type = line.takeWord(), type == "cgroup" || type == "cgroup2",
      line.takeWord() != nil, let options = line.takeWord()
    else { return nil }
    isUnified = type == "cgroup2"
    self.options = options
    self.root = root
    self.place = place
  }

  /// Whether this mount shows the hierarchy of version 1 with that controller, or that of version
  /// 2.
  func shows(_ controller: StaticString?) -> Bool {
    guard let controller else { return isUnified }
    return !isUnified && options.lists(controller)
  }
}

/// A path of mountinfo, in which a space is \040 and so on.
private func appendUnescaped(_ field: PlainText, to path: inout [UInt8]) {
  var index = field.range.lowerBound
  while index < field.range.upperBound {
    var byte = field.bytes[index]
    if byte == UInt8(ascii: "\\"), index + 3 < field.range.upperBound {
      byte = 0
      for _ in 0..<3 {
        index += 1
        byte = byte &* 8 &+ (field.bytes[index] &- 0x30)
      }
    }
    path.append(byte)
    index += 1
  }
}
