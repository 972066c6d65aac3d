// The options on a command line, and the errors of a command.

package enum CommandError: Error {
  /// The words on the command line are wrong.
  case usage(String)
  /// What was asked for cannot be done.
  case failed(String)
}

/// Options of one subcommand, taken one by one; what is left over is an error.
package struct Options {
  private var words: [String]

  package init(_ words: [String]) { self.words = words }

  /// Whether `name` stands there.
  package mutating func flag(_ name: String) -> Bool {
    guard let index = words.firstIndex(of: name) else { return false }
    words.remove(at: index)
    return true
  }

  /// The value behind `name`, or after `name=`.
  package mutating func value(_ name: String) throws(CommandError) -> String? {
    if let index = words.firstIndex(where: { $0.hasPrefix(name + "=") }) {
      return String(words.remove(at: index).dropFirst(name.count + 1))
    }
    guard let index = words.firstIndex(of: name) else { return nil }
    guard index + 1 < words.count else { throw .usage("\(name) needs a value") }
    let value = words[index + 1]
    words.removeSubrange(index...(index + 1))
    return value
  }

  /// The values of an option that may be given several times.
  package mutating func values(_ name: String) throws(CommandError) -> [String] {
    var values: [String] = []
    while let value = try value(name) { values.append(value) }
    return values
  }

  package mutating func number(
    _ name: String, in range: ClosedRange<Int>, or standard: Int
  ) throws(CommandError) -> Int {
    guard let text = try value(name) else { return standard }
    guard let number = Int(text), range.contains(number) else {
      throw .usage("\(name) takes a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// The users of `--allow-user UID[,…]`.
  package mutating func allowedUsers() throws(CommandError) -> Set<UInt32> {
    var numbers: Set<UInt32> = []
    guard let users = try value("--allow-user") else { return numbers }
    for user in users.split(separator: ",", omittingEmptySubsequences: false) {
      guard let number = UInt32(user) else { throw .usage("--allow-user takes numbers of users") }
      numbers.insert(number)
    }
    return numbers
  }

  /// The next word that is no option.
  package mutating func word() -> String? {
    guard let first = words.first, !first.hasPrefix("-") else { return nil }
    return words.removeFirst()
  }

  /// All words that are left, for another program.
  package mutating func rest() -> [String] {
    defer { words = [] }
    return words
  }

  package func finish() throws(CommandError) {
    if let word = words.first { throw .usage("\(word): not understood") }
  }
}
