// A message of a value as one line of JSON, in the form that the original's messages have:
//
//   {"action":"content","id":ID,"header":{…},"priority":3,
//    "new":{SESSION:{"after":0,"newTransactions":[…],"lastSignature":"…"},…}}
//
// Headers and transactions are put in as they are. A line break within one can only be a blank of
// its JSON, and becomes a space.

internal import SluiceJSON
internal import SluiceRecords

enum RecordLine {
  // MARK: Writing

  static func text(of message: RecordMessage) -> [UInt8] {
    var line = Array(#"{"action":"content","id":"#.utf8) + JSONText.quoted(message.id)
    if let header = message.header { line += Array(#","header":"#.utf8) + oneLine(header) }
    line += Array(#","priority":\#(message.priority),"new":{"#.utf8)
    for (index, session) in message.sessions.enumerated() {
      if index > 0 { line.append(UInt8(ascii: ",")) }
      line += JSONText.quoted(session.session)
      line += Array(#":{"after":\#(session.after),"newTransactions":["#.utf8)
      for (index, transaction) in session.transactions.enumerated() {
        if index > 0 { line.append(UInt8(ascii: ",")) }
        line += oneLine(transaction)
      }
      line +=
        Array(#"],"lastSignature":"#.utf8) + JSONText.quoted(session.lastSignature) + [
          UInt8(ascii: "}")
        ]
    }
    return line + Array("}}".utf8)
  }

  private static func oneLine(_ text: some Collection<UInt8>) -> [UInt8] {
    text.map { $0 == 10 || $0 == 13 ? UInt8(ascii: " ") : $0 }
  }

  // MARK: Reading

  /// Nil if the line is no message.
  static func message(of line: [UInt8]) -> RecordMessage? {
    unsafe line.withUnsafeBytes { bytes in
      var cursor = unsafe JSONCursor(bytes)
      var message = RecordMessage(id: [])
      let isObject = cursor.members { (cursor, name) in
        if cursor.equals(name, "id") { return string(&cursor, &message.id) }
        if cursor.equals(name, "header") {
          guard let range = value(&cursor) else { return false }
          message.header = Array(line[range])
          return true
        }
        if cursor.equals(name, "new") { return sessions(&cursor, line, &message) }
        return cursor.skipValue()
      }
      return isObject && cursor.isAtEnd() && !message.id.isEmpty ? message : nil
    }
  }

  private static func sessions(
    _ cursor: inout JSONCursor, _ line: [UInt8], _ message: inout RecordMessage
  ) -> Bool {
    cursor.members { (cursor, name) in
      guard let id = cursor.bytes(of: name) else { return false }
      var session = RecordSessionContent(
        session: id, after: 0, transactions: RecordTransactions(), lastSignature: [])
      let isObject = cursor.members { (cursor, name) in
        if cursor.equals(name, "after") {
          guard let range = value(&cursor),
            let after = UInt64(String(decoding: line[range], as: UTF8.self))
          else { return false }
          session.after = after
          return true
        }
        if cursor.equals(name, "lastSignature") { return string(&cursor, &session.lastSignature) }
        guard cursor.equals(name, "newTransactions") else { return cursor.skipValue() }
        return cursor.elements { cursor in
          guard let range = value(&cursor) else { return false }
          session.transactions.append(line[range])
          return true
        }
      }
      message.sessions.append(session)
      return isObject
    }
  }

  private static func string(_ cursor: inout JSONCursor, _ text: inout [UInt8]) -> Bool {
    guard cursor.begins(with: UInt8(ascii: "\"")), let span = cursor.string(),
      let bytes = cursor.bytes(of: span)
    else { return false }
    text = bytes
    return true
  }

  /// Where the next value stands.
  private static func value(_ cursor: inout JSONCursor) -> Range<Int>? {
    cursor.skipBlanks()
    let start = cursor.place
    return cursor.skipValue() ? start..<cursor.place : nil
  }
}
