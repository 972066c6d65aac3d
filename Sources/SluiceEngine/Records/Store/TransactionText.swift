// What the store has to know of a transaction, a JSON text that it otherwise keeps as it came: its
// size, and the values that a group's transaction names.

internal import SluiceJSON

enum TransactionText {
  /// The length of what the transaction changes, in UTF-16 code units as JavaScript counts; nil if
  /// the text is no transaction.
  static func size(of text: UnsafeRawBufferPointer) -> Int? {
    var cursor = unsafe JSONCursor(text)
    var isPrivate = false
    var changes: Int?
    var encryptedChanges: Int?
    let isObject = cursor.members { (cursor, name) in
      var value: JSONCursor.Span?
      if cursor.begins(with: UInt8(ascii: "\"")) {
        guard let string = cursor.string() else { return false }
        value = string
      } else if !cursor.skipValue() {
        return false
      }
      // Of equal names the last counts.
      if cursor.equals(name, "changes") {
        changes = value?.utf16Count
      } else if cursor.equals(name, "encryptedChanges") {
        encryptedChanges = value?.utf16Count
      } else if cursor.equals(name, "privacy") {
        isPrivate = value.map { cursor.equals($0, "private") } ?? false
      }
      return true
    }
    guard isObject, cursor.isAtEnd() else { return nil }
    return isPrivate ? encryptedChanges : changes
  }

  /// Calls `body` with each key that a trusting transaction sets, in order. What is no list of
  /// changes sets none.
  static func keysSet(in text: UnsafeRawBufferPointer, _ body: ([UInt8]) -> Void) {
    guard let changes = unsafe trustingChanges(of: text) else { return }
    for key in keysSet(inChanges: changes) { body(key) }
  }

  private static func trustingChanges(of text: UnsafeRawBufferPointer) -> [UInt8]? {
    var cursor = unsafe JSONCursor(text)
    var isTrusting = false
    var changes: [UInt8]?
    let isObject = cursor.members { (cursor, name) in
      guard cursor.begins(with: UInt8(ascii: "\"")) else { return cursor.skipValue() }
      guard let value = cursor.string() else { return false }
      if cursor.equals(name, "privacy") { isTrusting = cursor.equals(value, "trusting") }
      if cursor.equals(name, "changes") { changes = cursor.bytes(of: value) }
      return true
    }
    return isObject && isTrusting ? changes : nil
  }

  private static func keysSet(inChanges changes: [UInt8]) -> [[UInt8]] {
    unsafe changes.withUnsafeBytes { changes in
      var cursor = unsafe JSONCursor(changes)
      var keys: [[UInt8]] = []
      let isList = cursor.elements { cursor in
        guard cursor.begins(with: UInt8(ascii: "{")) else { return cursor.skipValue() }
        var isSet = false
        var key: [UInt8]?
        let isObject = cursor.members { (cursor, name) in
          let isOp = cursor.equals(name, "op")
          let isKey = cursor.equals(name, "key")
          guard cursor.begins(with: UInt8(ascii: "\"")) else {
            if isOp { isSet = false }
            if isKey { key = nil }
            return cursor.skipValue()
          }
          guard let value = cursor.string() else { return false }
          if isOp { isSet = cursor.equals(value, "set") }
          if isKey { key = cursor.bytes(of: value) }
          return true
        }
        if isSet, let key { keys.append(key) }
        return isObject
      }
      return isList && cursor.isAtEnd() ? keys : []
    }
  }
}
