// A state as one text, so that two states can be compared, also with what the vectors say.

package import SluiceAutomerge

/// The whole state, with ids and conflicts.
package func stateText(_ view: View) throws(AutomergeError) -> String {
  try stateText(.object(.map, .root), view)
}

private func stateText(_ value: Value, _ view: View) throws(AutomergeError) -> String {
  guard case .object(let kind, let object) = value else {
    if case .scalar(let scalar) = value { return scalarText(scalar) }
    return ""
  }
  switch kind {
  case .map, .table:
    let keys = try view.properties(of: object).map { property throws(AutomergeError) in
      "\(property.key)=\(try entryText(property.1, view))"
    }
    return "\(kind) \(object) {\(keys.joined(separator: ", "))}"
  case .list:
    let elements = try view.elements(of: object).map { element throws(AutomergeError) in
      "\(element.element):\(try entryText(element.1, view))"
    }
    return "list \(object) [\(elements.joined(separator: ", "))]"
  case .text:
    let conflicts = try view.elements(of: object).filter(\.1.isConflict).map {
      element throws(AutomergeError) in
      "\(element.element):\(try entryText(element.1, view))"
    }
    let text = try view.text(of: object)
    return "text \(object) '\(text)' [\(conflicts.joined(separator: ", "))]"
  }
}

private func entryText(_ entry: View.Entry, _ view: View) throws(AutomergeError) -> String {
  let conflicts =
    entry.isConflict
    ? try entry.candidates.map { candidate throws(AutomergeError) in
      "\(candidate.id) \(try stateText(candidate.value, view))"
    } : []
  return "\(entry.id) \(try stateText(entry.value, view)) <\(conflicts.joined(separator: "; "))>"
}

package func scalarText(_ scalar: ScalarValue) -> String {
  switch scalar {
  case .null: return "null"
  case .bool(let value): return "bool \(value)"
  case .int(let value): return "int \(value)"
  case .uint(let value): return "uint \(value)"
  case .double(let value):
    let bits = (0..<8).map { UInt8(truncatingIfNeeded: value.bitPattern >> ($0 * 8)) }
    return "f64 \(hexText(bits))"
  case .text(let value): return "str \(value)"
  case .bytes(let value): return "bytes \(hexText(value))"
  case .counter(let value): return "counter \(value)"
  case .timestamp(let value): return "timestamp \(value)"
  case .unknown(let code, let bytes): return "unknown \(code) \(hexText(bytes))"
  }
}
