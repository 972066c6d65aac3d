// A JSON text as a tree, read by SQLite's own parser (json_tree).

internal import CEngine

indirect enum JSONTree: Equatable {
  case object([String: JSONTree])
  case array([JSONTree])
  case string(String)
  case number(Double, isInteger: Bool)
  case bool(Bool)
  case null

  /// More values than this are refused.
  static let valueCountMaximum = 1_000_000

  /// What JSON Schema calls its type.
  var typeName: String {
    switch self {
    case .object: "object"
    case .array: "array"
    case .string: "string"
    case .number: "number"
    case .bool: "boolean"
    case .null: "null"
    }
  }

  /// Parses a text. SQLite's error names malformed JSON.
  static func parse(_ text: String, _ state: StateContext) throws(DatabaseError) -> JSONTree {
    try state.query("SELECT id, parent, type, key, atom FROM json_tree(?1)") {
      (rows) throws(DatabaseError) in
      rows.bind(1, text)
      var builder = Builder()
      while try rows.step() { try builder.add(rows) }
      return builder.tree()
    }
  }

  /// Rows come with parents before their children.
  private struct Builder {
    private var order: [Int64] = []
    private var parents: [Int64: Int64] = [:]
    private var keys: [Int64: String] = [:]
    private var values: [Int64: JSONTree] = [:]

    mutating func add(_ row: EngineStatement) throws(DatabaseError) {
      guard order.count < JSONTree.valueCountMaximum else {
        throw DatabaseError(SQLITE_TOOBIG, "the JSON has more than a million values")
      }
      let id = row.integer(0)
      order.append(id)
      if let parent = row.optionalInteger(1) { parents[id] = parent }
      keys[id] = row.text(3)
      values[id] =
        switch row.text(2) {
        case "object": .object([:])
        case "array": .array([])
        case "text": .string(row.text(4))
        case "integer": .number(row.real(4), isInteger: true)
        case "real": .number(row.real(4), isInteger: row.real(4).rounded() == row.real(4))
        case "true": .bool(true)
        case "false": .bool(false)
        default: .null
        }
    }

    mutating func tree() -> JSONTree {
      // From the last to the first, so that a value is whole before its parent takes it.
      for id in order.reversed() {
        guard var value = values.removeValue(forKey: id) else { continue }
        if case .array(let elements) = value { value = .array(elements.reversed()) }
        guard let parent = parents[id] else { return value }
        switch values.removeValue(forKey: parent) {
        case .object(var members):
          members[keys[id]!] = value
          values[parent] = .object(members)
        case .array(var elements):
          // They are turned round when the array is taken itself.
          elements.append(value)
          values[parent] = .array(elements)
        case let other: values[parent] = other
        }
      }
      return .null
    }
  }
}
