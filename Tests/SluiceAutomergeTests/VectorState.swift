// The state of a vector as one text, to be compared with a document's. See AutomergeScenarios.

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
