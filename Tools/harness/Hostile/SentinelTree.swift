// Files beside the root that no sidecar may touch, and links in the root that lead to them. The
// tree notes the state of the files when it makes them, and compares it in the end: content, size,
// times of change and of reading (where the file system keeps that), and that nothing was added.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

/// Confined to one thread.
final class SentinelTree {
  let path: String
  private let root: String
  private var seen: [String: Record] = [:]
  private var links: [(place: String, target: String)] = []

  private struct Record: Equatable {
    var inode: UInt64
    var mode: UInt32
    var byteCount: Int64
    var linkCount: UInt64
    var times: [Int]
  }

  private static let fileNames = [
    "sentinel.db", "sentinel.db-journal", "sentinel.db-wal", "deep/s.db",
  ]

  /// The links in `root` that lead out of it, by name and target.
  static let linkNames = ["out-absolute", "out-relative", "out-file", "out-process"]

  /// Makes the tree beside `root`, whose path is real, and the links in it. Nil where this process
  /// lacks the right.
  init?(besideRoot root: String, tag: String) {
    guard let slash = root.lastIndex(of: "/"), slash != root.startIndex else { return nil }
    self.root = root
    // The root's path is a prefix of this one: a sidecar that compares paths letter by letter would
    // take it for a part of the root.
    path = root + "-outside-" + tag
    guard unsafe mkdir(zeroTerminated(path), 0o700) == 0,
      unsafe mkdir(zeroTerminated(path + "/deep"), 0o700) == 0
    else { return nil }
    for name in SentinelTree.fileNames {
      guard (try? OutputFile(path + "/" + name).write("nobody writes here\n")) != nil else {
        remove()
        return nil
      }
    }
    let name = path[path.index(after: path.lastIndex(of: "/")!)...]
    let targets = [path, "../\(name)", "../\(name)/sentinel.db", "/proc/self/cwd"]
    links = zip(SentinelTree.linkNames, targets).map { (root + "/" + tag + $0, $1) }
    guard makeLinks() else {
      remove()
      return nil
    }
    seen = look()
  }

  /// Makes the links again, because a client may delete them: they are in the root.
  @discardableResult
  func makeLinks() -> Bool {
    var isMade = true
    for (place, target) in links {
      let made = unsafe symlink(zeroTerminated(target), zeroTerminated(place))
      if made != 0, sluice_errno() != EEXIST { isMade = false }
    }
    return isMade
  }

  /// Paths that must lead nowhere, as a client would write them.
  func paths(tag: String) -> [String] {
    let name = String(path[path.index(after: path.lastIndex(of: "/")!)...])
    var paths = SentinelTree.linkNames.map { tag + $0 }
    paths += SentinelTree.linkNames.map { tag + $0 + "/sentinel.db" }
    for file in SentinelTree.fileNames {
      paths += [
        "../\(name)/\(file)", "/../\(name)/\(file)", "./.././\(name)/\(file)", "\(path)/\(file)",
        "\(root)/../\(name)/\(file)", "x/../../\(name)/\(file)", "//../\(name)//\(file)",
      ]
    }
    return paths + ["..", "/", ".", "../..", "/proc/self/exe", "/etc/passwd", root, root + "/.."]
  }

  /// What has changed, or nil.
  func damage() -> String? {
    let now = look()
    for (name, record) in seen {
      guard let present = now[name] else { return "\(name): gone" }
      if present != record { return "\(name): touched" }
    }
    return now.keys.first { seen[$0] == nil }.map { "\($0): made" }
  }

  func remove() {
    for link in links { _ = unsafe unlink(zeroTerminated(link.place)) }
    for name in SentinelTree.fileNames { _ = unsafe unlink(zeroTerminated(path + "/" + name)) }
    for directory in ["/deep", ""] { _ = unsafe rmdir(zeroTerminated(path + directory)) }
  }

  private func look() -> [String: Record] {
    var records: [String: Record] = [:]
    for directory in ["", "/deep"] {
      for name in (try? unsafe namesInDirectory(zeroTerminated(path + directory))) ?? [] {
        let place = path + directory + "/" + String(decoding: name, as: UTF8.self)
        var status = stat()
        guard unsafe lstat(zeroTerminated(place), &status) == 0 else { continue }
        let isFile = status.st_mode & UInt32(S_IFMT) == UInt32(S_IFREG)
        records[place] = Record(
          inode: UInt64(status.st_ino), mode: status.st_mode, byteCount: Int64(status.st_size),
          linkCount: UInt64(status.st_nlink),
          // Looking at a directory is reading it.
          times: [status.st_mtim.tv_sec, status.st_mtim.tv_nsec]
            + (isFile ? [status.st_atim.tv_sec, status.st_atim.tv_nsec] : []))
      }
    }
    return records
  }
}
