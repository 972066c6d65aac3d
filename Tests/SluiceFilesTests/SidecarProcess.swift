// A real sidecar that these tests talk to through SluiceClient, and its watchdog: after a minute it
// is killed, and then no call on it blocks any longer.

import Foundation
import Glibc
import SluiceClient
import SluiceSystem
import SluiceWire
import TestSupport

final class SidecarProcess: Sendable {
  let directory: URL
  let id: pid_t
  private let isReaped = FutexLock(false)

  /// Where Tools/build puts the product, or what SLUICE_BUILD says.
  static let build: URL =
    ProcessInfo.processInfo.environment["SLUICE_BUILD"].map { URL(filePath: $0) }
    ?? URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "build")
  private static let program = build.appending(path: "bin/sluice").path

  var root: URL { directory.appending(path: "root") }
  private var socket: String { directory.appending(path: "socket").path }

  /// `options` are further words for `sluice serve`; `prepare` puts into the root what shall be there.
  init(_ options: [String] = [], prepare: (URL) throws -> Void = { _ in }) throws {
    guard FileManager.default.isExecutableFile(atPath: SidecarProcess.program) else {
      throw StartFailure("no product at \(SidecarProcess.program); run Tools/build")
    }
    directory = FileManager.default.temporaryDirectory.resolvingSymlinksInPath()
      .appending(path: "sluice-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(
      at: directory.appending(path: "root"), withIntermediateDirectories: true)
    try prepare(directory.appending(path: "root"))
    let socket = directory.appending(path: "socket").path
    let words =
      [
        SidecarProcess.program, "serve", "--root", directory.appending(path: "root").path,
        "--socket", socket,
      ] + options
    // It says so when it listens; the socket's file alone may be there a moment before.
    let output = directory.appending(path: "output").path
    id = try spawnProgram(words, output: output)
    startWatchdog()
    let deadline = ContinuousClock.now + .seconds(20)
    while (try? String(contentsOfFile: output, encoding: .utf8))?.contains("serving") != true {
      guard isRunning, ContinuousClock.now < deadline else {
        throw StartFailure("the sidecar did not start")
      }
      usleep(2000)
    }
  }

  deinit {
    isReaped.withLock { isReaped in
      if !isReaped {
        kill(id, SIGKILL)
        _ = waitpid(id, nil, 0)
      }
      isReaped = true
    }
    // What a killed sidecar leaves behind, until the next one starts.
    try? FileManager.default.removeItem(atPath: "/dev/shm/sluice-\(id)")
    try? FileManager.default.removeItem(at: directory)
  }

  func connect() throws -> Session { try Session.connect(toSocket: socketName) }

  private var socketName: [CChar] { socket.utf8.map { CChar(bitPattern: $0) } + [0] }

  /// A connection on which nothing was said yet.
  func connectSilently() throws -> SharedDescriptor {
    while true {
      do throws(Errno) {
        return SharedDescriptor(try unsafe FileDescriptor.connect(toSocket: socketName))
      } catch .again {
        // The queue is full; the watchdog sees to it that this ends.
        usleep(1000)
      }
    }
  }

  /// What it has said on standard error.
  var errors: String {
    let path = directory.appending(path: "output-errors").path
    return (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
  }

  func file(_ name: String) -> URL { root.appending(path: name) }

  var isRunning: Bool {
    isReaped.withLock { isReaped in
      if !isReaped { isReaped = waitpid(id, nil, WNOHANG) == id }
      return !isReaped
    }
  }

  /// Tells it to stop.
  func terminate() { if isRunning { kill(id, SIGTERM) } }

  /// Kills it, and waits for its end.
  func destroy() {
    isReaped.withLock { isReaped in
      guard !isReaped else { return }
      kill(id, SIGKILL)
      _ = waitpid(id, nil, 0)
      isReaped = true
    }
  }

  private func startWatchdog() {
    Foundation.Thread.detachNewThread { [weak self] in
      for _ in 0..<600 {
        usleep(100_000)
        if self == nil { return }
      }
      if let self, self.isRunning { kill(self.id, SIGKILL) }
    }
  }
}

struct StartFailure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

extension Channel {
  /// Opens a database for reading and writing, and makes it where there is none.
  func openDatabase(_ name: String) throws -> RemoteFile {
    try open(
      OpenRequest(path: Array(name.utf8), kind: .mainDatabase, options: [.readWrite, .create]))
  }
}

extension RemoteFile {
  func write(_ bytes: [UInt8], at offset: Int64) throws {
    try unsafe bytes.withUnsafeBytes { try unsafe write($0, at: offset) }
  }

  /// Up to `count` bytes from `offset`.
  func read(_ count: Int, at offset: Int64) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0xee, count: count)
    let done = try unsafe bytes.withUnsafeMutableBytes { try unsafe read(into: $0, at: offset) }
    return Array(bytes[..<done])
  }
}

/// The status with which `body` is refused; `done` if it is not.
func status(_ body: () throws -> Void) -> Status? {
  do {
    try body()
    return .done
  } catch CallError.refused(let status, _) {
    return status
  } catch {
    return nil
  }
}
