// A record store of the vectors: a file in a directory of its own, served in this process, on a clock
// that only the vectors move.

import Foundation
import SluiceClient
import SluiceRecords
import SluiceSystem

@testable import SluiceEngine
@testable import SluiceServer

/// Where the engine runs.
enum VectorEngine: String, CaseIterable, Sendable {
  /// A thread of this process at the other end of the storage's channel.
  case inProcess
  /// A server on a socket, as the engine's process is.
  case onSocket
}

/// A clock that stands still until it is moved. Each value that is erased moves it, if the vectors say
/// so.
final class VectorClock: RecordClock, @unchecked Sendable {
  private let moved = FutexLock<Int64>(1_800_000_000_000)
  private let eraseCost: Int64
  private let path: String

  init(eraseCost: Int64, path: String) {
    self.eraseCost = eraseCost
    self.path = path
  }

  func advance(_ milliseconds: Int64) { moved.withLock { $0 += milliseconds } }

  var realtimeMilliseconds: Int64 { now }
  var monotonicMilliseconds: Int64 { now }

  private var now: Int64 {
    let base = moved.withLock { $0 }
    guard eraseCost > 0 else { return base }
    let done = try? SQLiteFile(path).rows("SELECT key FROM deleted WHERE value = x'01'")
    return base + eraseCost * Int64(done?.count ?? 0)
  }
}

final class VectorStore: @unchecked Sendable {
  let path: String
  let clock: VectorClock
  private let directory: URL
  private let offer: EngineOffer
  private let socket: String?
  private let lifeline: SharedDescriptor?
  private let thread: JoinableThread?

  init(_ engine: VectorEngine, eraseCost: Int64 = 0) throws {
    directory = FileManager.default.temporaryDirectory.resolvingSymlinksInPath()
      .appending(path: "sluice-records-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    path = directory.appending(path: "store").path
    clock = VectorClock(eraseCost: eraseCost, path: path)
    let offer = EngineOffer(at: .host, services: .records, clock: clock)
    self.offer = offer
    guard engine == .onSocket else {
      (socket, lifeline, thread) = (nil, nil, nil)
      return
    }
    let socket = directory.appending(path: "socket").path
    self.socket = socket
    let pair = try SocketPair()
    lifeline = SharedDescriptor(pair.ours)
    let far = SharedDescriptor(pair.theirs)
    let listening = try listen(onSocket: socket.utf8CString.map { $0 }, permissions: 0o600)
    thread = JoinableThread(
      try Thread("test-engine") {
        do throws(Errno) {
          let server = try Server(
            EngineService(offer), ServerConfiguration(),
            .shared(listening.listener, lifeline: far), metrics: Metrics(),
            socketName: listening.name)
          try server.run()
        } catch {
          fatalError("\(error)")
        }
      })
  }

  deinit {
    lifeline?.descriptor.shutDown()
    thread?.join()
    try? FileManager.default.removeItem(at: directory)
  }

  func open(
    _ options: RecordOpenOptions = RecordOpenOptions(), log: @escaping RecordLog = { (_, _) in }
  ) async throws -> RecordStorage {
    if let socket {
      return try await SidecarRecords.open(path, onSocket: socket, options: options, log: log)
    }
    return try await LocalRecords.open(path, on: offer, options: options, log: log)
  }

  /// A connection in the caller's thread.
  func connect(_ options: RecordOpenOptions = RecordOpenOptions()) throws -> RecordConnection {
    let session: RingSession
    if let socket {
      session = try RingSession.connect(toSocket: socket.utf8CString.map { $0 })
    } else {
      session = try LocalChannel.connect(to: offer)
    }
    return try RecordConnection(session, path: Array(path.utf8), options: options)
  }

  var tables: StoreTables {
    get throws { try StoreTables(path: path) }
  }
}
