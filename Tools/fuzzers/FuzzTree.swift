// A directory of files for one target, beside files that no input may touch. It is removed when the
// process ends normally. A run with a finding leaves it for inspection.

import CSluice
import Foundation

/// Confined to one thread.
final class FuzzTree {
  /// The real path, without a link in it.
  let rootPath: String
  private let path: String
  private var sentinels: [String: Record] = [:]

  private struct Record: Equatable {
    var inode: UInt64
    var byteCount: Int
    var seconds: Int
    var nanoseconds: Int
    var linkCount: UInt64
  }

  private static let sentinelNames = ["outside", "outside/sentinel", "outside/a.db", ""]

  init() throws {
    let parent = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
    var template = Array("\(parent)/sluice-fuzz.XXXXXX".utf8CString)
    guard unsafe mkdtemp(&template) != nil, let real = unsafe realpath(template, nil) else {
      throw CocoaError(.fileWriteUnknown)
    }
    path = unsafe String(cString: real)
    unsafe free(real)
    rootPath = path + "/root"
    try FileManager.default.createDirectory(atPath: rootPath, withIntermediateDirectories: false)
    try FileManager.default.createDirectory(
      atPath: path + "/outside", withIntermediateDirectories: false)
    for name in ["sentinel", "a.db"] {
      try Data("nobody".utf8).write(to: url("../outside/" + name))
    }
    sentinels = look()
    removeAtExit(path)
  }

  private func url(_ name: String) -> URL { URL(fileURLWithPath: "\(rootPath)/\(name)") }

  func makeDirectory(_ name: String) throws {
    try FileManager.default.createDirectory(at: url(name), withIntermediateDirectories: true)
  }

  func makeLink(_ name: String, to target: String) throws {
    try FileManager.default.createSymbolicLink(
      atPath: url(name).path, withDestinationPath: target)
  }

  func makeFile(_ name: String) throws { try Data("file".utf8).write(to: url(name)) }

  /// Whether the files outside are unchanged, and no others are there.
  var isUntouched: Bool { look() == sentinels }

  private func look() -> [String: Record] {
    var seen: [String: Record] = [:]
    for name in Self.sentinelNames {
      var status = stat()
      guard unsafe lstat("\(path)/\(name)", &status) == 0 else { continue }
      seen[name] = Record(
        inode: UInt64(status.st_ino), byteCount: Int(status.st_size),
        seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec,
        linkCount: UInt64(status.st_nlink))
    }
    return seen
  }

  /// Removes every file and link from the root; directories stay.
  func empty() {
    removeFiles(rootPath)
  }

  private func removeFiles(_ directory: String) {
    guard let stream = unsafe opendir(directory) else { return }
    defer { _ = unsafe closedir(stream) }
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { room in
        unsafe String(decoding: room.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name == "." || name == ".." { continue }
      if unsafe entry.pointee.d_type == UInt8(DT_DIR) {
        removeFiles("\(directory)/\(name)")
      } else {
        _ = unsafe unlinkat(dirfd(stream), &entry.pointee.d_name.0, 0)
      }
    }
  }
}

private nonisolated(unsafe) var temporaryPaths: [String] = []

/// Removes the tree when the process exits by itself.
private func removeAtExit(_ path: String) {
  if unsafe temporaryPaths.isEmpty {
    atexit {
      for path in unsafe temporaryPaths { try? FileManager.default.removeItem(atPath: path) }
    }
  }
  unsafe temporaryPaths.append(path)
}
