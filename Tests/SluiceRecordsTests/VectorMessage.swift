// Messages and known states as the vectors have them, and as the storage does.

import SluiceRecords
import SluiceWire
import Testing

extension RecordMessage {
  /// A message of the vectors. `$order` says in which order its sessions come.
  init(vector: JSONValue) throws {
    self.init(id: Array(try #require(vector["id"]?.string).utf8))
    header = try vector["header"]?.text
    priority = UInt8(try #require(vector["priority"]?.integer))
    let contents = try #require(vector["new"]?.object)
    for session in vector["$order"]?.strings ?? Array(contents.keys) {
      let content = try #require(contents[session])
      var transactions = RecordTransactions()
      for transaction in try #require(content["newTransactions"]?.array) {
        transactions.append(try transaction.text)
      }
      sessions.append(
        RecordSessionContent(
          session: Array(session.utf8),
          after: UInt64(try #require(content["after"]?.integer)), transactions: transactions,
          lastSignature: Array(try #require(content["lastSignature"]?.string).utf8)))
    }
  }

  /// The message as the vectors would have it.
  var vector: JSONValue {
    get throws {
      var members: [String: JSONValue] = [
        "action": "content", "id": JSONValue(utf8: id), "priority": .integer(Int64(priority)),
      ]
      if let header { members["header"] = try JSONValue(text: header) }
      var contents: [String: JSONValue] = [:]
      for session in sessions {
        contents[String(decoding: session.session, as: UTF8.self)] = [
          "after": .integer(Int64(session.after)),
          "newTransactions": .array(try session.transactions.map { try JSONValue(text: $0) }),
          "lastSignature": JSONValue(utf8: session.lastSignature),
        ]
      }
      members["new"] = .object(contents)
      if sessions.count > 1 {
        members["$order"] = .array(sessions.map { JSONValue(utf8: $0.session) })
      }
      if let expectContentUntil {
        members["expectContentUntil"] = .object(
          Dictionary(
            uniqueKeysWithValues: expectContentUntil.map {
              (String(decoding: $0.session, as: UTF8.self), .integer(Int64($0.count)))
            }))
      }
      return .object(members)
    }
  }
}

extension RecordKnownState {
  /// A known state of the vectors.
  init(vector: JSONValue) throws {
    self.init(
      RecordID(try #require(vector["id"]?.string)),
      hasHeader: try #require(vector["header"]?.bool),
      try Self.counters(try #require(vector["sessions"])))
  }

  /// The sessions of a value that does not matter.
  init(vectorSessions: JSONValue) throws {
    self.init("co_z", hasHeader: true, try Self.counters(vectorSessions))
  }

  private static func counters(_ vector: JSONValue) throws -> [RecordCounter] {
    try #require(vector.object).map {
      RecordCounter(session: Array($0.key.utf8), count: UInt64(try #require($0.value.integer)))
    }
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByDictionaryLiteral {
  init(stringLiteral value: String) { self = .string(value) }

  init(dictionaryLiteral members: (String, JSONValue)...) {
    self = .object(Dictionary(uniqueKeysWithValues: members))
  }

  init(utf8 bytes: some Collection<UInt8>) {
    self = .string(String(decoding: bytes, as: UTF8.self))
  }
}
