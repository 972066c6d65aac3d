// JSON as a test compares it: objects without an order of their members.

import Foundation

enum JSONValue: Equatable, Sendable {
  case null
  case bool(Bool)
  case integer(Int64)
  case real(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])
}

extension JSONValue: Codable {
  init(from decoder: any Decoder) throws {
    let box = try decoder.singleValueContainer()
    if box.decodeNil() {
      self = .null
    } else if let value = try? box.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? box.decode(Int64.self) {
      self = .integer(value)
    } else if let value = try? box.decode(Double.self) {
      self = .real(value)
    } else if let value = try? box.decode(String.self) {
      self = .string(value)
    } else if let value = try? box.decode([JSONValue].self) {
      self = .array(value)
    } else {
      self = .object(try box.decode([String: JSONValue].self))
    }
  }

  func encode(to encoder: any Encoder) throws {
    var box = encoder.singleValueContainer()
    switch self {
    case .null: try box.encodeNil()
    case .bool(let value): try box.encode(value)
    case .integer(let value): try box.encode(value)
    case .real(let value): try box.encode(value)
    case .string(let value): try box.encode(value)
    case .array(let values): try box.encode(values)
    case .object(let members): try box.encode(members)
    }
  }

  init(text: some Collection<UInt8>) throws {
    self = try JSONDecoder().decode(JSONValue.self, from: Data(text))
  }

  var text: [UInt8] {
    get throws { Array(try JSONEncoder().encode(self)) }
  }
}

extension JSONValue {
  subscript(name: String) -> JSONValue? {
    if case .object(let members) = self { members[name] } else { nil }
  }

  var string: String? { if case .string(let value) = self { value } else { nil } }
  var integer: Int64? { if case .integer(let value) = self { value } else { nil } }
  var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  var array: [JSONValue]? { if case .array(let values) = self { values } else { nil } }
  var object: [String: JSONValue]? { if case .object(let members) = self { members } else { nil } }
  var strings: [String]? { array?.compactMap(\.string) }

  /// With the packed strings of the vectors unpacked: {"$rep": [unit, count]} and {"$cat": […]}.
  var unpacked: JSONValue {
    switch self {
    case .array(let values): .array(values.map(\.unpacked))
    case .object(let members):
      if let parts = members["$rep"]?.array, let count = parts[1].integer {
        .string(String(repeating: parts[0].string ?? "", count: Int(count)))
      } else if let parts = members["$cat"]?.array {
        .string(parts.map { $0.unpacked.string ?? "" }.joined())
      } else {
        .object(members.mapValues(\.unpacked))
      }
    default: self
    }
  }
}
