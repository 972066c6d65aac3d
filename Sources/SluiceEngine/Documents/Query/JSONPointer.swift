// JSON pointers (RFC 6901) in the fragment of a `$ref`. Pure.

enum JSONPointer {
  /// A step as a pointer writes it.
  static func escaped(_ step: String) -> String {
    var text = ""
    for scalar in step.unicodeScalars {
      switch scalar {
      case "~": text += "~0"
      case "/": text += "~1"
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text
  }

  /// The steps of a local reference: `#` and a pointer. Nil if it is no such reference.
  static func steps(ofReference reference: String) -> [ExactText]? {
    guard reference.utf8.first == UInt8(ascii: "#"),
      let pointer = percentDecoded(Array(reference.utf8.dropFirst()))
    else { return nil }
    if pointer.isEmpty { return [] }
    guard pointer[0] == UInt8(ascii: "/") else { return nil }
    var steps: [ExactText] = []
    for step in pointer[1...].split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    {
      guard let step = unescaped(step) else { return nil }
      steps.append(ExactText(step))
    }
    return steps
  }

  private static func unescaped(_ step: ArraySlice<UInt8>) -> String? {
    var bytes: [UInt8] = []
    var place = step.startIndex
    while place < step.endIndex {
      if step[place] == UInt8(ascii: "~") {
        place += 1
        guard place < step.endIndex else { return nil }
        switch step[place] {
        case UInt8(ascii: "0"): bytes.append(UInt8(ascii: "~"))
        case UInt8(ascii: "1"): bytes.append(UInt8(ascii: "/"))
        default: return nil
        }
      } else {
        bytes.append(step[place])
      }
      place += 1
    }
    return String(validating: bytes, as: UTF8.self)
  }

  /// As fragments of URIs are written: `%` and two digits stand for a byte.
  private static func percentDecoded(_ text: [UInt8]) -> [UInt8]? {
    var bytes: [UInt8] = []
    var place = 0
    while place < text.count {
      if text[place] == UInt8(ascii: "%") {
        guard place + 2 < text.count, let high = digit(text[place + 1]),
          let low = digit(text[place + 2])
        else { return nil }
        bytes.append(high << 4 | low)
        place += 3
      } else {
        bytes.append(text[place])
        place += 1
      }
    }
    return bytes
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    Character(UnicodeScalar(byte)).hexDigitValue.map { UInt8($0) }
  }
}
