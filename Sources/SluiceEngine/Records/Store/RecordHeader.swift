// What a load has to know of a value's header, a JSON text that is otherwise kept as it came.

internal import SluiceJSON

struct RecordHeader: Equatable {
  /// The value's own type, as in "comap".
  var type: [UInt8]?
  var metaType: [UInt8]?
  /// The value of which this one is a branch.
  var source: [UInt8]?
  var rulesetType: [UInt8]?
  /// The group that owns the value.
  var group: [UInt8]?

  /// Nil if the text is no JSON object.
  init?(_ text: [UInt8]) {
    let isHeader = unsafe text.withUnsafeBytes { text in
      var cursor = unsafe JSONCursor(text)
      let isObject = cursor.members { (cursor, name) in
        if cursor.equals(name, "type") { return Self.string(&cursor, &type) }
        // Of equal names the last counts.
        if cursor.equals(name, "meta") { (metaType, source) = (nil, nil) }
        if cursor.equals(name, "ruleset") { (rulesetType, group) = (nil, nil) }
        if cursor.equals(name, "meta"), cursor.begins(with: UInt8(ascii: "{")) {
          return cursor.members { (cursor, name) in
            if cursor.equals(name, "type") { return Self.string(&cursor, &metaType) }
            if cursor.equals(name, "source") { return Self.string(&cursor, &source) }
            return cursor.skipValue()
          }
        }
        if cursor.equals(name, "ruleset"), cursor.begins(with: UInt8(ascii: "{")) {
          return cursor.members { (cursor, name) in
            if cursor.equals(name, "type") { return Self.string(&cursor, &rulesetType) }
            if cursor.equals(name, "group") { return Self.string(&cursor, &group) }
            return cursor.skipValue()
          }
        }
        return cursor.skipValue()
      }
      return isObject && cursor.isAtEnd()
    }
    if !isHeader { return nil }
  }

  private static func string(_ cursor: inout JSONCursor, _ value: inout [UInt8]?) -> Bool {
    guard cursor.begins(with: UInt8(ascii: "\"")) else {
      value = nil
      return cursor.skipValue()
    }
    guard let span = cursor.string() else { return false }
    value = cursor.bytes(of: span)
    return true
  }

  private static func equals(_ value: [UInt8]?, _ word: StaticString) -> Bool {
    unsafe value?.elementsEqual(
      UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)) ?? false
  }

  var isGroup: Bool { Self.equals(rulesetType, "group") }

  /// 0 for accounts and groups, 6 for binary streams, 3 for all others; less comes first.
  var priority: UInt8 {
    if Self.equals(metaType, "account") || isGroup { return 0 }
    if Self.equals(type, "costream"), Self.equals(metaType, "binary") { return 6 }
    return 3
  }

  /// The values that the header names and that are sent before this one.
  var dependencies: [[UInt8]] {
    var found: [[UInt8]] = []
    if Self.equals(rulesetType, "ownedByGroup"), let group { found.append(group) }
    if let source { found.append(source) }
    return found
  }

  /// The value that a key of a group's transaction names: a parent group, or a member.
  static func dependency(ofKey key: [UInt8]) -> [UInt8]? {
    if key.starts(with: "parent_co_".utf8) { return Array(key.dropFirst("parent_".utf8.count)) }
    return key.starts(with: "co_".utf8) ? key : nil
  }
}
