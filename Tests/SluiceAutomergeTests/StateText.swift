// A state as one text, from a vector or from a document, so that two states can be compared.

@testable import SluiceAutomerge

// MARK: From a vector

func stateText(_ state: Fields) -> String {
  let id = state.text("id")
  switch state.text("t") {
  case "map", "table":
    let keys = state.list("keys").map { entry in
      "\(entry.text("key"))=\(entryText(entry))"
    }
    return "\(state.text("t")) \(id) {\(keys.joined(separator: ", "))}"
  case "list":
    let elements = state.list("elems").map { "\($0.text("elem")):\(entryText($0))" }
    return "list \(id) [\(elements.joined(separator: ", "))]"
  case "text":
    let conflicts = state.list("elems").map { "\($0.text("elem")):\(entryText($0))" }
    return "text \(id) '\(state.text("s"))' [\(conflicts.joined(separator: ", "))]"
  default: return scalarText(state)
  }
}

private func entryText(_ entry: Fields) -> String {
  let conflicts = (entry["conflicts"] as? [[Any]] ?? []).map { pair in
    "\(pair[0]) \(stateText(pair[1] as? Fields ?? [:]))"
  }
  return
    "\(entry.text("id")) \(stateText(entry.fields("value"))) <\(conflicts.joined(separator: "; "))>"
}

func scalarText(_ value: Fields) -> String {
  switch value.text("t") {
  case "null": "null"
  case "f64": "f64 \(value.text("bits"))"
  case "bool": "bool \(value["v"] as? Bool == true)"
  case "unknown": "unknown \(value["code"]!) \(value.text("v"))"
  default: "\(value.text("t")) \(value["v"]!)"
  }
}

// MARK: From a document

func stateText(_ view: View) throws -> String { try stateText(.object(.map, .root), view) }

private func stateText(_ value: Value, _ view: View) throws -> String {
  guard case .object(let kind, let object) = value else {
    if case .scalar(let scalar) = value { return scalarText(scalar) }
    return ""
  }
  switch kind {
  case .map, .table:
    let keys = try view.properties(of: object).map { "\($0.key)=\(try entryText($0.1, view))" }
    return "\(kind) \(object) {\(keys.joined(separator: ", "))}"
  case .list:
    let elements = try view.elements(of: object).map {
      "\($0.element):\(try entryText($0.1, view))"
    }
    return "list \(object) [\(elements.joined(separator: ", "))]"
  case .text:
    let conflicts = try view.elements(of: object).filter(\.1.isConflict).map {
      "\($0.element):\(try entryText($0.1, view))"
    }
    let text = try view.text(of: object)
    return "text \(object) '\(text)' [\(conflicts.joined(separator: ", "))]"
  }
}

private func entryText(_ entry: View.Entry, _ view: View) throws -> String {
  let conflicts =
    entry.isConflict
    ? try entry.candidates.map { "\($0.id) \(try stateText($0.value, view))" } : []
  return "\(entry.id) \(try stateText(entry.value, view)) <\(conflicts.joined(separator: "; "))>"
}

func scalarText(_ scalar: ScalarValue) -> String {
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
