// Why a call on an engine failed, as Swift programs learn it.

public struct SQLError: Error, Equatable, Sendable {
  public enum Reason: Equatable, Sendable {
    /// SQLite refused; `code` is its extended result code.
    case sqlite
    /// The statement was stopped: its task was cancelled, or its time was up.
    case interrupted
    /// A value or a text of SQL is larger than the engine takes.
    case tooLarge
    /// The call makes no sense now, for example `close` while a transaction is open.
    case misuse
    /// The engine was closed.
    case closed
    /// The engine died, hangs or cannot be reached. What was not committed is rolled back.
    case engineGone
    /// The snapshot of a memory engine could not be written.
    case notSaved
  }

  public var reason: Reason
  /// SQLite's extended result code, or the one that comes nearest.
  public var code: Int32
  /// What was wrong and, where there is one, the remedy.
  public var message: String
  /// The byte in the SQL where the error lies.
  public var offset: Int?
  /// Which step of a batch failed, from 0.
  public var statementIndex: Int?
  /// Whether a transaction is open after it.
  public var isInTransaction: Bool

  init(_ reason: Reason, code: Int32, _ message: String, isInTransaction: Bool = false) {
    self.reason = reason
    self.code = code
    self.message = message
    self.isInTransaction = isInTransaction
  }

  package init(_ failure: SQLFailure, isInTransaction: Bool = false) {
    let sqliteInterrupt: Int32 = 9
    reason =
      switch failure {
      case .sqlite(let code, _, _): code & 0xff == sqliteInterrupt ? .interrupted : .sqlite
      case .refused: .misuse
      case .tooLarge: .tooLarge
      case .notConnected, .call, .malformed: .engineGone
      case .closed: .closed
      }
    code = failure.code
    message = String(decoding: failure.message, as: UTF8.self)
    if case .sqlite(_, _, let offset) = failure, offset >= 0 { self.offset = Int(offset) }
    self.isInTransaction = isInTransaction
  }

  package static func notSaved(_ path: String, _ why: String) -> SQLError {
    SQLError(.notSaved, code: 10, "\(path): \(why); the snapshot before is whole")
  }

  static let closed = SQLError(.closed, code: 21, "the engine is closed")
  static let cancelled = SQLError(.interrupted, code: 9, "the task was cancelled")

  static func misuse(_ message: String, isInTransaction: Bool = false) -> SQLError {
    SQLError(.misuse, code: 21, message, isInTransaction: isInTransaction)
  }
}

extension SQLError: CustomStringConvertible {
  public var description: String { message }
}
