// A record store of the vectors: a file in a directory of its own, served in this process, on a clock
// that only the vectors move.

import EngineTestSupport
import Foundation
import SluiceClient
import SluiceRecords
import SluiceSystem

@testable import SluiceEngine
@testable import SluiceServer

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
  private let engine: TestEngine

  init(_ place: EnginePlace, eraseCost: Int64 = 0) throws {
    var parts: (path: String, clock: VectorClock)?
    engine = try TestEngine("sluice-records", place) { directory in
      let path = directory.appending(path: "store").path
      let clock = VectorClock(eraseCost: eraseCost, path: path)
      parts = (path, clock)
      return EngineOffer(at: .host, services: .records, clock: clock)
    }
    (path, clock) = parts!
  }

  func open(
    _ options: RecordOpenOptions = RecordOpenOptions(), log: @escaping RecordLog = { (_, _) in }
  ) async throws -> RecordStorage {
    if let socket = engine.socket {
      return try await SidecarRecords.open(path, onSocket: socket, options: options, log: log)
    }
    return try await LocalRecords.open(path, on: engine.offer, options: options, log: log)
  }

  /// A connection in the caller's thread.
  func connect(_ options: RecordOpenOptions = RecordOpenOptions()) throws -> RecordConnection {
    return try RecordConnection(engine.session(), path: Array(path.utf8), options: options)
  }

  var tables: StoreTables {
    get throws { try StoreTables(path: path) }
  }
}
