// The tables of a record store's file as a stranger reads them: with SQLite alone, by the keys of
// Protocol/RECORDS.md.

import CEngine
import Testing

struct StoreTables {
  struct Session: Equatable {
    var id: String
    var row: UInt64
    var count: UInt64
    var size: UInt64
    var lastSignature: String
    /// By index.
    var transactions: [UInt64] = []
    var signatures: [(index: UInt64, text: String)] = []

    static func == (left: Session, right: Session) -> Bool {
      left.id == right.id && left.row == right.row && left.count == right.count
    }
  }

  struct Value {
    var id: String
    var row: UInt64
    var header: [UInt8]
    /// In the order of their creation.
    var sessions: [Session] = []
  }

  /// In the order of their rows.
  private(set) var values: [Value] = []
  private(set) var deleted: [String: UInt64] = [:]
  private(set) var unsynced: [[String]] = []
  /// Transactions and signatures of no session.
  private(set) var orphanCount = 0

  init(path: String) throws {
    let file = try SQLiteFile(path)
    try file.run("BEGIN")
    for row in try file.rows("SELECT key, value FROM covalue_by_row ORDER BY key") {
      let id = row[1]
      let stored = try file.rows("SELECT key, value FROM covalue_by_id WHERE key = ?", id)
      let bytes = try #require(stored.first)[1]
      #expect(number(bytes.prefix(8)) == number(row[0]))
      values.append(Value(id: text(id), row: number(row[0]), header: Array(bytes.dropFirst(8))))
    }
    for row in try file.rows("SELECT key, value FROM session_by_cv_sid") {
      let index = values.firstIndex { $0.row == number(row[0].prefix(8)) }
      let bytes = row[1]
      values[try #require(index)].sessions.append(
        Session(
          id: text(row[0].dropFirst(8)), row: number(bytes.prefix(8)),
          count: number(bytes[8..<12]), size: number(bytes[12..<16]),
          lastSignature: text(bytes.dropFirst(16))))
    }
    for index in values.indices { values[index].sessions.sort { $0.row < $1.row } }
    for row in try file.rows("SELECT key, value FROM transactions ORDER BY key") {
      change(row[0]) { $0.transactions.append(number(row[0].dropFirst(8))) }
    }
    for row in try file.rows("SELECT key, value FROM signature_after ORDER BY key") {
      change(row[0]) { $0.signatures.append((number(row[0].dropFirst(8)), text(row[1]))) }
    }
    for row in try file.rows("SELECT key, value FROM deleted") {
      deleted[text(row[0])] = number(row[1])
    }
    for row in try file.rows("SELECT key, value FROM unsynced") {
      let zero = try #require(row[0].firstIndex(of: 0))
      unsynced.append([text(row[0][..<zero]), text(row[0][(zero + 1)...])])
    }
    try file.run("COMMIT")
  }

  private mutating func change(_ key: [UInt8], _ body: (inout Session) -> Void) {
    let row = number(key.prefix(8))
    for value in values.indices {
      for session in values[value].sessions.indices
      where values[value].sessions[session].row == row {
        return body(&values[value].sessions[session])
      }
    }
    orphanCount += 1
  }

  func value(_ id: String) -> Value? { values.first { $0.id == id } }

  /// As the vectors have it.
  var vector: JSONValue {
    [
      "coValues": .array(values.map(\.vector)),
      "deleted": .array(
        deleted.sorted { $0.key < $1.key }.map { .array([.string($0), .integer(Int64($1))]) }),
      "unsynced": .array(
        unsynced.map { .array($0.map { .string($0) }) }),
      "orphanRows": .integer(Int64(orphanCount)),
    ]
  }

  /// Writes a transaction behind the engine's back.
  static func inject(
    _ transaction: [UInt8], at index: UInt32, of session: String, _ id: String, path: String
  ) throws {
    let row = try #require(
      try StoreTables(path: path).value(id)?.sessions.first { $0.id == session }?.row)
    let key =
      (0..<8).map { UInt8(truncatingIfNeeded: row >> (56 - 8 * $0)) }
      + (0..<4).map { UInt8(truncatingIfNeeded: index >> (24 - 8 * $0)) }
    _ = try SQLiteFile(path).rows("INSERT INTO transactions VALUES (?, ?)", key, transaction)
  }
}

extension StoreTables.Value {
  fileprivate var vector: JSONValue {
    ["rowID": .integer(Int64(row)), "id": .string(id), "sessions": .array(sessions.map(\.vector))]
  }
}

extension StoreTables.Session {
  fileprivate var vector: JSONValue {
    [
      "sessionID": .string(id), "lastIdx": .integer(Int64(count)),
      "lastSignature": .string(lastSignature), "bytesSinceLastSignature": .integer(Int64(size)),
      "transactions": .integer(Int64(transactions.count)),
      "firstTx": transactions.first.map { .integer(Int64($0)) } ?? .null,
      "lastTx": transactions.last.map { .integer(Int64($0)) } ?? .null,
      "signatures": .array(
        signatures.map { .array([.integer(Int64($0.index)), .string($0.text)]) }),
    ]
  }
}

private func number(_ bytes: some Collection<UInt8>) -> UInt64 {
  bytes.reduce(0) { $0 << 8 | UInt64($1) }
}

private func text(_ bytes: some Collection<UInt8>) -> String {
  String(decoding: bytes, as: UTF8.self)
}

/// A connection of SQLite's own.
@safe
final class SQLiteFile {
  private var handle: OpaquePointer?

  struct Failed: Error { var message: String }

  init(_ path: String) throws {
    guard unsafe sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE, nil) == SQLITE_OK else {
      throw failure
    }
    unsafe sqlite3_busy_timeout(handle, 20_000)
  }

  deinit { unsafe sqlite3_close_v2(handle) }

  private var failure: Failed { Failed(message: unsafe String(cString: sqlite3_errmsg(handle))) }

  func run(_ sql: String) throws { _ = try rows(sql) }

  /// All rows; each value as a blob.
  func rows(_ sql: String, _ parameters: [UInt8]...) throws -> [[[UInt8]]] {
    var statement: OpaquePointer?
    guard unsafe sqlite3_prepare_v2(handle, sql, -1, &statement, nil) == SQLITE_OK else {
      throw failure
    }
    defer { unsafe sqlite3_finalize(statement) }
    let transient = unsafe unsafeBitCast(-1, to: sqlite3_destructor_type.self)
    for (index, bytes) in parameters.enumerated() {
      unsafe sqlite3_bind_blob(statement, Int32(index + 1), bytes, Int32(bytes.count), transient)
    }
    var rows: [[[UInt8]]] = []
    while true {
      switch unsafe sqlite3_step(statement) {
      case SQLITE_ROW:
        rows.append(
          unsafe (0..<sqlite3_column_count(statement)).map { column in
            let count = unsafe Int(sqlite3_column_bytes(statement, column))
            guard let start = unsafe sqlite3_column_blob(statement, column) else { return [] }
            return unsafe Array(UnsafeRawBufferPointer(start: start, count: count))
          })
      case SQLITE_DONE: return rows
      default: throw failure
      }
    }
  }
}
