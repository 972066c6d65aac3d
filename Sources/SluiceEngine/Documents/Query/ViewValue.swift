// Automerge documents as queries read them: the view itself, of which nothing is copied. Values look
// as in the view's JSON: texts are strings, counters and timestamps numbers, bytes arrays of
// numbers, infinities and NaN null. Of conflicts the winner is seen.

internal import SluiceAutomerge

/// A value of a view.
struct ViewValue: QueryValue {
  /// Shared, because a view has many tables.
  private final class Shared: Sendable {
    let view: View
    init(_ view: View) { self.view = view }
  }

  private let shared: Shared
  private let value: Value

  /// The root of a document.
  init(_ view: View) {
    shared = Shared(view)
    value = .object(.map, .root)
  }

  private init(_ value: Value, in shared: Shared) {
    self.shared = shared
    self.value = value
  }

  var kind: QueryValueKind {
    switch value {
    case .object(.map, _), .object(.table, _): .object
    case .object(.list, _): .array
    case .object(.text, _), .scalar(.text): .string
    case .scalar(.null): .null
    case .scalar(.bool): .boolean
    case .scalar(.int), .scalar(.uint), .scalar(.counter), .scalar(.timestamp): .number
    case .scalar(.double(let number)): number.isFinite ? .number : .null
    case .scalar(.bytes), .scalar(.unknown): .array
    }
  }

  var scalar: QueryScalar? {
    switch value {
    case .object(.text, let object):
      .string(ExactText((try? shared.view.text(of: object)) ?? ""))
    case .object: nil
    case .scalar(.text(let text)): .string(ExactText(text))
    case .scalar(.null): .null
    case .scalar(.bool(let isTrue)): .boolean(isTrue)
    case .scalar(.int(let number)), .scalar(.counter(let number)), .scalar(.timestamp(let number)):
      .number(QueryNumber(number))
    case .scalar(.uint(let number)): .number(QueryNumber(number))
    case .scalar(.double(let number)): number.isFinite ? .number(QueryNumber(number)) : .null
    case .scalar(.bytes), .scalar(.unknown): nil
    }
  }

  var count: Int {
    switch value {
    case .object(.text, _): 0
    case .object(_, let object): (try? shared.view.count(of: object)) ?? 0
    case .scalar(.bytes(let bytes)), .scalar(.unknown(_, let bytes)): bytes.count
    case .scalar: 0
    }
  }

  func hasCount(_ count: Int) -> Bool {
    guard kind == .object, case .object(_, let object) = value else { return self.count == count }
    return (try? shared.view.propertyCount(of: object, upTo: count + 1)) == count
  }

  var scalarCount: Int {
    switch value {
    case .object(.text, let object): (try? shared.view.count(of: object)) ?? 0
    case .scalar(.text(let text)): text.unicodeScalars.count
    case .object, .scalar: 0
    }
  }

  func element(at index: Int) -> ViewValue {
    switch value {
    case .scalar(.bytes(let bytes)), .scalar(.unknown(_, let bytes)):
      return ViewValue(.scalar(.uint(UInt64(bytes[index]))), in: shared)
    case .object(_, let object):
      guard let entry = try? shared.view.entry(at: index, in: object) else {
        preconditionFailure("a view's list has an element below its count")
      }
      return ViewValue(entry.value, in: shared)
    case .scalar: preconditionFailure("a scalar has no elements")
    }
  }

  var elements: [ViewValue] {
    switch value {
    case .scalar(.bytes(let bytes)), .scalar(.unknown(_, let bytes)):
      return bytes.map { ViewValue(.scalar(.uint(UInt64($0))), in: shared) }
    case .object(.list, let object):
      guard let elements = try? shared.view.elements(of: object) else { return [] }
      return elements.map { ViewValue($0.entry.value, in: shared) }
    case .object, .scalar: return []
    }
  }

  func member(_ key: ExactText) -> ViewValue? {
    guard kind == .object, case .object(_, let object) = value,
      let found = try? shared.view.value(forKey: key.text, in: object)
    else { return nil }
    return ViewValue(found, in: shared)
  }

  var keys: [ExactText] {
    guard kind == .object, case .object(_, let object) = value,
      let properties = try? shared.view.properties(of: object)
    else { return [] }
    return properties.map { ExactText($0.key) }
  }
}

extension DocumentDelta {
  /// What the steps between two states of a document change, for queries.
  init(document: String, _ patches: [Patch]) {
    self.init(document: document)
    for patch in patches {
      let path = patch.path.map { step in
        switch step {
        case .key(let key): key
        case .index(let index): String(index)
        }
      }
      switch patch.action {
      case .set(_, let key): changed.append(path + [key])
      case .removeValue(let key): removed.append(path + [key])
      case .replaceSubrange(let range, let values):
        if range.count == values.count {
          changed += range.map { path + [String($0)] }
        } else {
          changed.append(path)
        }
      case .replaceText: changed.append(path)
      case .marks: break
      }
    }
  }
}
