// JSON as the tests edit it. Numbers are doubles.

import Foundation

@testable import SluiceEngine

enum TestValue: Hashable, Sendable {
  case null
  case boolean(Bool)
  case number(Double)
  case string(String)
  case array([TestValue])
  case object([String: TestValue])
}

extension TestValue: QueryValue {
  var kind: QueryValueKind {
    switch self {
    case .null: .null
    case .boolean: .boolean
    case .number: .number
    case .string: .string
    case .array: .array
    case .object: .object
    }
  }

  var scalar: QueryScalar? {
    switch self {
    case .null: .null
    case .boolean(let value): .boolean(value)
    case .number(let value): .number(QueryNumber(value))
    case .string(let value): .string(ExactText(value))
    case .array, .object: nil
    }
  }

  var count: Int {
    switch self {
    case .array(let values): values.count
    case .object(let members): members.count
    default: 0
    }
  }

  func hasCount(_ count: Int) -> Bool { self.count == count }

  var scalarCount: Int {
    if case .string(let text) = self { text.unicodeScalars.count } else { 0 }
  }

  func element(at index: Int) -> TestValue {
    guard case .array(let values) = self else { preconditionFailure("no array") }
    return values[index]
  }

  var elements: [TestValue] {
    if case .array(let values) = self { values } else { [] }
  }

  func member(_ key: ExactText) -> TestValue? {
    guard case .object(let members) = self else { return nil }
    return members[key.text]
  }

  var keys: [ExactText] {
    guard case .object(let members) = self else { return [] }
    return members.keys.map { ExactText($0) }.sorted { $0.precedes($1) }
  }
}

extension TestValue: Codable {
  init(from decoder: any Decoder) throws {
    let box = try decoder.singleValueContainer()
    if box.decodeNil() {
      self = .null
    } else if let value = try? box.decode(Bool.self) {
      self = .boolean(value)
    } else if let value = try? box.decode(Double.self) {
      self = .number(value)
    } else if let value = try? box.decode(String.self) {
      self = .string(value)
    } else if let value = try? box.decode([TestValue].self) {
      self = .array(value)
    } else {
      self = .object(try box.decode([String: TestValue].self))
    }
  }

  func encode(to encoder: any Encoder) throws {
    var box = encoder.singleValueContainer()
    switch self {
    case .null: try box.encodeNil()
    case .boolean(let value): try box.encode(value)
    case .number(let value): try box.encode(value)
    case .string(let value): try box.encode(value)
    case .array(let values): try box.encode(values)
    case .object(let members): try box.encode(members)
    }
  }

  /// The value of a JSON text.
  static func json(_ text: String) throws -> TestValue {
    try JSONDecoder().decode(TestValue.self, from: Data(text.utf8))
  }

  var json: [UInt8] {
    get throws { Array(try JSONEncoder().encode(self)) }
  }

  static func link(_ document: String, _ path: [String] = []) -> TestValue {
    .object([
      "/": .object([
        "link@1": .object([
          "id": .string(document), "path": .array(path.map { .string($0) }),
        ])
      ])
    ])
  }
}

extension TestValue {
  /// The value at a path; nil where nothing is. Setting nil removes a member or element; what has no
  /// parent stays as it is.
  subscript(path: ArraySlice<String>) -> TestValue? {
    get {
      guard let key = path.first else { return self }
      return child(ExactText(key))?[path.dropFirst()]
    }
    set {
      guard let key = path.first else {
        if let newValue { self = newValue }
        return
      }
      let rest = path.dropFirst()
      switch self {
      case .object(var members):
        if rest.isEmpty {
          members[key] = newValue
        } else {
          members[key]?[rest] = newValue
        }
        self = .object(members)
      case .array(var values):
        guard let index = Int(key), index < values.count else { return }
        if !rest.isEmpty {
          values[index][rest] = newValue
        } else if let newValue {
          values[index] = newValue
        } else {
          values.remove(at: index)
        }
        self = .array(values)
      default: break
      }
    }
  }

  /// The paths of all values in this one, its own first.
  var paths: [[String]] {
    switch self {
    case .array(let values):
      [[]] + values.enumerated().flatMap { index, value in value.paths.map { ["\(index)"] + $0 } }
    case .object(let members):
      [[]]
        + members.sorted { $0.key < $1.key }.flatMap { key, value in value.paths.map { [key] + $0 }
        }
    default: [[]]
    }
  }
}

/// Documents in memory.
struct TestDocuments: QueryDocuments {
  var roots: [String: TestValue]

  func root(ofDocument id: String) -> TestValue? { roots[id] }
}

extension DocumentQuery {
  /// With a schema as JSON text.
  init(_ document: String, _ path: [String] = [], _ schema: String) throws {
    try self.init(document: document, path: path, schema: try Schema(json: Array(schema.utf8)))
  }
}

/// The verdict of a query on documents that are given as JSON.
func verdict(
  _ documents: [String: String], _ document: String, _ path: [String] = [], _ schema: String,
  limits: DocumentQuery.Limits = .init()
) throws -> QueryVerdict {
  let query = try DocumentQuery(document, path, schema)
  let roots = try documents.mapValues { try TestValue.json($0) }
  return QueryEvaluation(query, in: TestDocuments(roots: roots), limits: limits).verdict
}
