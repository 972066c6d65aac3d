// Automerge documents of JSON.

import SluiceAutomerge

@testable import SluiceEngine

/// A document with these members at its root; empty if the value is no object.
func document(of value: TestValue) throws -> Document {
  var document = Document()
  try document.edit { edit in
    for (key, member) in value.sortedMembers { try edit.put(member, forKey: key, in: .root) }
  }
  return document
}

extension TestValue {
  fileprivate var sortedMembers: [(key: String, value: TestValue)] {
    if case .object(let members) = self { members.sorted { $0.key < $1.key } } else { [] }
  }

  fileprivate var automergeScalar: ScalarValue? {
    switch self {
    case .null: .null
    case .boolean(let value): .bool(value)
    case .number(let value): Int64(exactly: value).map { .int($0) } ?? .double(value)
    case .string(let value): .text(value)
    case .array, .object: nil
    }
  }
}

extension Edit {
  mutating func put(
    _ value: TestValue, forKey key: String, in object: ObjectID
  ) throws(AutomergeError) {
    if let scalar = value.automergeScalar { return try set(scalar, forKey: key, in: object) }
    if case .array = value {
      try fill(make(.list, forKey: key, in: object), value)
    } else {
      try fill(make(.map, forKey: key, in: object), value)
    }
  }

  private mutating func fill(_ object: ObjectID, _ value: TestValue) throws(AutomergeError) {
    for (key, member) in value.sortedMembers { try put(member, forKey: key, in: object) }
    guard case .array(let elements) = value else { return }
    for element in elements {
      if let scalar = element.automergeScalar {
        try append(scalar, to: object)
      } else if case .array = element {
        try fill(append(.list, to: object), element)
      } else {
        try fill(append(.map, to: object), element)
      }
    }
  }
}
