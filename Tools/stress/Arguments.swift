// --name value pairs.

struct Arguments {
  private var values: [String: String] = [:]

  init(_ words: ArraySlice<String>) {
    var name: String?
    for word in words {
      if word.hasPrefix("--") {
        name = String(word.dropFirst(2))
        values[name!] = ""
      } else if let known = name {
        values[known] = word
        name = nil
      }
    }
  }

  func has(_ name: String) -> Bool { values[name] != nil }

  func text(_ name: String, or standard: String = "") -> String { values[name] ?? standard }

  func number(_ name: String, or standard: Int) -> Int { Int(text(name)) ?? standard }

  /// The same options, as words.
  var words: [String] { values.flatMap { ["--" + $0.key, $0.value] }.filter { !$0.isEmpty } }
}
