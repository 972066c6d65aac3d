// `sluice engine` as its users start it, over a file sidecar. Its watchdog kills it after a minute,
// and then no call on it blocks any longer.

import Foundation
import Glibc
import SluiceClient
import SluiceSystem
import Synchronization
import TestSupport
import Testing

@testable import SluiceSQL

final class EngineProgram: @unchecked Sendable {
  let directory: URL
  private let process = FutexLock<pid_t>(0)

  private static let build: URL =
    ProcessInfo.processInfo.environment["SLUICE_BUILD"].map { URL(filePath: $0) }
    ?? URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "build")

  var root: URL { directory.appending(path: "root") }
  private var socket: String { directory.appending(path: "socket").path }
  var id: pid_t { process.withLock { $0 } }

  private let options: [String]

  init(_ options: String...) throws {
    self.options = options
    directory = FileManager.default.temporaryDirectory.resolvingSymlinksInPath()
      .appending(path: "sluice-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(
      at: directory.appending(path: "root"), withIntermediateDirectories: true)
    try start()
    Foundation.Thread.detachNewThread { [weak self] in
      for _ in 0..<900 {
        usleep(100_000)
        if self == nil { return }
      }
      self?.destroy()
    }
  }

  deinit {
    destroy()
    try? FileManager.default.removeItem(at: directory)
  }

  /// Starts it, again after it was killed.
  func start() throws {
    let program = EngineProgram.build.appending(path: "bin/sluice").path
    let output = directory.appending(path: "output").path
    try? FileManager.default.removeItem(atPath: output)
    // Where it is started must mean nothing: here, below its root.
    let place = root.appending(path: "started-here")
    try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
    let id = try spawnProgram(
      [
        "/usr/bin/env", "-C", place.path, program, "engine", "--root", root.path, "--socket",
        socket,
      ] + options,
      output: output)
    process.withLock { $0 = id }
    let deadline = ContinuousClock.now + .seconds(20)
    while (try? String(contentsOfFile: output, encoding: .utf8))?.contains("SQL for") != true {
      guard kill(id, 0) == 0, ContinuousClock.now < deadline else {
        throw EngineNotStarted(program: program)
      }
      usleep(2000)
    }
  }

  struct EngineNotStarted: Error { var program: String }

  /// What `sluice stats` shows of it.
  func stats() throws -> String {
    let process = Process()
    let output = Pipe()
    process.executableURL = EngineProgram.build.appending(path: "bin/sluice")
    process.arguments = ["stats", "--json", "--socket", socket]
    process.standardOutput = output
    try process.run()
    let text = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: text, as: UTF8.self)
  }

  /// Kills it, and waits for its end.
  func destroy() {
    process.withLock { id in
      guard id > 0 else { return }
      kill(id, SIGKILL)
      _ = waitpid(id, nil, 0)
      id = 0
    }
  }

  func connect(
    _ name: String = "test.db", mode: SQLOpenMode = .either, options: SQLOpenOptions = [],
    busyMilliseconds: Int64 = 20_000, seed: [UInt8]? = nil
  ) throws -> SQLConnection {
    try SQLConnection(
      try RingSession.connect(toSocket: socket.utf8.map { CChar(bitPattern: $0) } + [0]),
      path: Array(name.utf8), mode: mode, options: options, busyMilliseconds: busyMilliseconds,
      seed: seed)
  }

  /// The most memory that the process has had, in bytes.
  var memoryPeakByteCount: Int { EngineProgram.memory("VmHWM", of: id) }
  var memoryByteCount: Int { EngineProgram.memory("VmRSS", of: id) }

  static func memory(_ field: String, of id: pid_t) -> Int {
    let status = (try? String(contentsOfFile: "/proc/\(id)/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix(field + ":") }
    return (line?.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) } ?? 0) * 1024
  }
}

/// Passes what is confined to one thread to another one, whose end is awaited.
struct Handed<T>: @unchecked Sendable {
  let value: T
  init(_ value: T) { self.value = value }
}

/// Runs `body` on another thread.
func onThread(_ body: @escaping @Sendable () -> Void) throws -> JoinableThread {
  JoinableThread(try Thread("test", body))
}

/// Runs `body` until it is true. A watchdog, not a claim about speed.
func eventually(_ body: () throws -> Bool) rethrows -> Bool {
  let deadline = ContinuousClock.now + .seconds(30)
  while ContinuousClock.now < deadline {
    if try body() { return true }
    usleep(2000)
  }
  return false
}

/// Tells another thread to end.
final class Flag: Sendable {
  private let value = Atomic<Bool>(false)
  var isSet: Bool { value.load(ordering: .acquiring) }
  func set() { value.store(true, ordering: .releasing) }
}
