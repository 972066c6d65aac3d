// JSON: output for other programs.

/// A JSON value; members keep their order.
package indirect enum JSON {
  case text(String)
  case number(Double)
  case integer(Int64)
  case array([JSON])
  case object([(String, JSON)])
  case null

  /// One line for each member of the outermost `depth` levels.
  package func written(depth: Int = 0, indentation: String = "") -> String {
    switch self {
    case .text(let text): return quoted(text)
    case .number(let number): return number.isFinite ? "\(number)" : "null"
    case .integer(let number): return "\(number)"
    case .null: return "null"
    case .array(let values):
      return lines(values.map { ("", $0) }, "[", "]", depth, indentation)
    case .object(let members):
      return lines(members.map { (quoted($0) + ": ", $1) }, "{", "}", depth, indentation)
    }
  }

  private func lines(
    _ parts: [(String, JSON)], _ first: String, _ last: String, _ depth: Int, _ indentation: String
  ) -> String {
    let deeper = indentation + "  "
    let texts = parts.map { $0 + $1.written(depth: max(0, depth - 1), indentation: deeper) }
    if depth == 0 || parts.isEmpty { return first + texts.joined(separator: ", ") + last }
    return first + "\n" + texts.map { deeper + $0 }.joined(separator: ",\n") + "\n" + indentation
      + last
  }
}

/// A JSON string.
package func quoted(_ text: String) -> String {
  var result = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"", "\\":
      result += "\\"
      result.unicodeScalars.append(scalar)
    case "\u{0}"..<" ":
      let digits = String(scalar.value, radix: 16)
      result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    default:
      result.unicodeScalars.append(scalar)
    }
  }
  return result + "\""
}
