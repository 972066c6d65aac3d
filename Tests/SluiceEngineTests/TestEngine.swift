// An engine in this process, on a socket of its own, with SQLite's own files. What its databases
// stand on is another test's concern.

import Foundation
import SluiceClient
import SluiceSystem

@testable import SluiceEngine
@testable import SluiceSQL
@testable import SluiceServer

/// It ends when this object does.
final class TestEngine: @unchecked Sendable {
  let path: [CChar]
  let directory: String
  private let lifeline: FileDescriptor
  private let thread: JoinableThread

  init() throws {
    let name =
      "\(NSTemporaryDirectory())/sluice-engine-test-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    directory = name
    try FileManager.default.createDirectory(atPath: name, withIntermediateDirectories: true)
    path = (name + "/socket").utf8CString.map { $0 }
    let pair = try SocketPair()
    lifeline = pair.ours
    let far = SharedDescriptor(pair.theirs)
    let socket = try listen(onSocket: path, permissions: 0o600)
    thread = JoinableThread(
      try Thread("test-engine") {
        do throws(Errno) {
          let server = try Server(
            EngineService(EngineOffer(at: .host)), ServerConfiguration(),
            .shared(socket.listener, lifeline: far),
            metrics: Metrics(), socketName: socket.name)
          try server.run()
        } catch {
          fatalError("\(error)")
        }
      })
  }

  deinit {
    lifeline.shutDown()
    thread.join()
    try? FileManager.default.removeItem(atPath: directory)
  }

  /// The bytes of a name in the engine's directory.
  func name(_ name: String) -> [UInt8] { Array("\(directory)/\(name)".utf8) }

  func connect(
    _ name: String = "test.db", mode: SQLOpenMode = .either, options: SQLOpenOptions = [],
    busyMilliseconds: Int64 = 5000, seed: [UInt8]? = nil
  ) throws -> SQLConnection {
    try SQLConnection(
      try RingSession.connect(toSocket: path),
      path: name == ":memory:" ? Array(name.utf8) : self.name(name), mode: mode, options: options,
      busyMilliseconds: busyMilliseconds, seed: seed)
  }
}

/// A value that a test wrote or read.
enum TestValue: Equatable, Sendable {
  case integer(Int64)
  case real(Double)
  case text(String)
  case blob([UInt8])
  case null
}

extension TestValue: ExpressibleByIntegerLiteral, ExpressibleByStringLiteral,
  ExpressibleByNilLiteral, ExpressibleByFloatLiteral
{
  init(integerLiteral value: Int64) { self = .integer(value) }
  init(floatLiteral value: Double) { self = .real(value) }
  init(stringLiteral value: String) { self = .text(value) }
  init(nilLiteral: ()) { self = .null }
}

struct TestParameters: SQLParameterSource {
  let values: [TestValue]
  var parameterCount: Int { values.count }

  func withParameter<R>(_ index: Int, _ body: (SQLParameter) -> R) -> R {
    switch values[index] {
    case .integer(let value): body(.integer(value))
    case .real(let value): body(.real(value))
    case .text(let text): unsafe Array(text.utf8).withUnsafeBytes { unsafe body(.text($0)) }
    case .blob(let blob): unsafe blob.withUnsafeBytes { unsafe body(.blob($0)) }
    case .null: body(.null)
    }
  }
}

extension SQLConnection {
  func open(
    _ sql: String, _ values: TestValue..., options: SQLExecutionOptions = [],
    rowCountMaximum: UInt32 = 0, deadlineMilliseconds: UInt32 = 0
  ) throws -> SQLCursor {
    try unsafe Array(sql.utf8).withUnsafeBytes {
      try unsafe execute(
        $0, TestParameters(values: values), options, rowCountMaximum: rowCountMaximum,
        deadlineMilliseconds: deadlineMilliseconds)
    }
  }

  /// All rows of a statement.
  @discardableResult
  func rows(_ sql: String, _ values: TestValue...) throws -> [[TestValue]] {
    let cursor = try unsafe Array(sql.utf8).withUnsafeBytes {
      try unsafe execute($0, TestParameters(values: values))
    }
    return try cursor.rest()
  }

  /// The failure of a statement.
  func failure(
    _ sql: String, _ values: TestValue..., deadlineMilliseconds: UInt32 = 0
  ) -> SQLFailure? {
    do {
      let cursor = try unsafe Array(sql.utf8).withUnsafeBytes {
        try unsafe execute(
          $0, TestParameters(values: values), deadlineMilliseconds: deadlineMilliseconds)
      }
      _ = try cursor.rest()
      return nil
    } catch let failure as SQLFailure {
      return failure
    } catch {
      fatalError("\(error)")
    }
  }
}

extension SQLCursor {
  func rest() throws -> [[TestValue]] {
    var rows: [[TestValue]] = []
    while try step() { rows.append(try row()) }
    return rows
  }

  func row() throws -> [TestValue] {
    try names.indices.map { column -> TestValue in
      switch try value(column) {
      case .integer(let value): .integer(value)
      case .real(let value): .real(value)
      case .text(let text): unsafe .text(String(decoding: text, as: UTF8.self))
      case .blob(let blob): unsafe .blob([UInt8](blob))
      case .null: .null
      case .farText, .farBlob: fatalError("a far value was not read")
      }
    }
  }

  var columnNames: [String] { names.map { String(decoding: $0, as: UTF8.self) } }
}

extension SQLFailure {
  var text: String { String(decoding: message, as: UTF8.self) }
}
