// The hidden primary key of a table's row, as one text: the byte counts of the parts but the last,
// and then the parts. Pure.

enum RowKey {
  static func text(_ parts: [String]) -> String {
    parts.dropLast().map { "\($0.utf8.count)." }.joined() + ":" + parts.joined()
  }

  /// nil if the text is no key of so many parts.
  static func parts(_ text: String, count: Int) -> [String]? {
    guard let colon = text.firstIndex(of: ":") else { return nil }
    let counts = text[..<colon].split(separator: ".").map { Int($0) }
    guard counts.count == count - 1 else { return nil }
    var rest = text[text.index(after: colon)...].utf8
    var parts: [String] = []
    for byteCount in counts {
      guard let byteCount, byteCount >= 0, byteCount <= rest.count,
        let part = String(rest.prefix(byteCount))
      else { return nil }
      parts.append(part)
      rest = rest.dropFirst(byteCount)
    }
    guard let last = String(rest) else { return nil }
    return parts + [last]
  }
}
