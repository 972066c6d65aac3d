// What a connection knows of the statements that its engine keeps compiled: their ids and the names
// of their columns, by text.

internal import CSluice

/// A text that the engine knows.
final class KnownStatement {
  let text: [UInt8]
  /// The engine's id; 0 while it has none.
  var id: UInt64 = 0
  var names: [[UInt8]] = []
  /// Whether the engine has answered it once.
  var isKnown = false
  /// The open cursors of its id: more than one where the engine was done with the rows of the first
  /// before that cursor was read. The id must not be executed meanwhile.
  var cursorCount = 0
  var isUnderWay: Bool { cursorCount > 0 }

  init(_ text: [UInt8]) { self.text = text }
}

struct KnownStatements {
  private var byText: [[UInt8]: KnownStatement] = [:]
  private var latest: KnownStatement?
  /// The engine keeps so many.
  private static let countMaximum = 256

  /// The statement of a text. Loops execute one again and again, so the last one is looked at
  /// first.
  @inline(__always)
  mutating func statement(_ text: UnsafeRawBufferPointer) -> KnownStatement {
    if let latest, unsafe isEqual(latest.text, text) { return latest }
    return unsafe find([UInt8](text))
  }

  @inline(never)
  private mutating func find(_ text: [UInt8]) -> KnownStatement {
    if let known = byText[text] {
      latest = known
      return known
    }
    // The engine forgets the least used ones. To forget all is simpler, and as rare.
    if byText.count >= Self.countMaximum { byText = [:] }
    let new = KnownStatement(text)
    byText[text] = new
    latest = new
    return new
  }
}

@inline(__always)
private func isEqual(_ known: [UInt8], _ text: UnsafeRawBufferPointer) -> Bool {
  guard known.count == text.count else { return false }
  if known.isEmpty { return true }
  return unsafe known.withUnsafeBytes {
    unsafe memcmp($0.baseAddress!, text.baseAddress!, $0.count) == 0
  }
}
