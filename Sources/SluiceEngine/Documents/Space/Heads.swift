// Heads: the changes on which no other depends. Ascending, without repetition.

package import SluiceAutomerge

/// The heads of a branch. Equal heads are equal states.
package struct Heads: Hashable, Sendable {
  /// Ascending.
  package private(set) var hashes: [ChangeHash]

  package static let none = Heads([])

  package init(_ hashes: some Sequence<ChangeHash>) {
    self.hashes = Array(Set(hashes)).sorted()
  }

  /// Heads that are in order already.
  init(ascending hashes: [ChangeHash]) { self.hashes = hashes }

  package var isEmpty: Bool { hashes.isEmpty }
  package var count: Int { hashes.count }

  // MARK: Text

  /// A JSON array of hexadecimal digits, as heads are stored.
  var json: String {
    if hashes.isEmpty { return "[]" }
    return "[\"" + hashes.map(\.description).joined(separator: "\",\"") + "\"]"
  }

  /// What `json` wrote; nil for other texts.
  init?(json: String) {
    guard json.hasPrefix("["), json.hasSuffix("]") else { return nil }
    var hashes: [ChangeHash] = []
    for part in json.dropFirst().dropLast().split(separator: ",") {
      guard part.hasPrefix("\""), part.hasSuffix("\""),
        let hash = ChangeHash(hex: String(part.dropFirst().dropLast()))
      else { return nil }
      hashes.append(hash)
    }
    self.init(hashes)
  }

  var value: SpaceValue { .list(hashes.map { .text($0.description) }) }

  /// The value whose digest is the root hash.
  var rootValue: SpaceValue { .map([.init("heads", value)]) }
}
