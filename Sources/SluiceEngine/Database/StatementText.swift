// Where a statement begins in a text of several, by the rules of SQLite's own tokenizer.

enum StatementText {
  /// Where the next statement begins at or behind `start`; 0 if nothing but blanks, semicolons and
  /// comments follows.
  static func nextStatement(in text: [UInt8], from start: Int) -> Int {
    var place = start
    while place < text.count {
      let byte = text[place]
      let next = place + 1 < text.count ? text[place + 1] : 0
      if byte == UInt8(ascii: ";") {
        place += 1
      } else if isBlank(byte) {
        place += 1
        // Behind another blank, a vertical tab is one too.
        while place < text.count, isBlank(text[place]) || text[place] == 11 { place += 1 }
      } else if byte == UInt8(ascii: "-"), next == UInt8(ascii: "-") {
        place = text[place...].firstIndex(of: UInt8(ascii: "\n")) ?? text.count
      } else if byte == UInt8(ascii: "/"), next == UInt8(ascii: "*"), place + 2 < text.count {
        place = endOfComment(in: text, from: place + 2)
      } else {
        return place
      }
    }
    return 0
  }

  /// A comment that is not ended goes to the text's end.
  private static func endOfComment(in text: [UInt8], from start: Int) -> Int {
    var place = start
    while place + 1 < text.count {
      if text[place] == UInt8(ascii: "*"), text[place + 1] == UInt8(ascii: "/") { return place + 2 }
      place += 1
    }
    return text.count
  }

  private static func isBlank(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: " "), 9, 10, 12, 13: true
    default: false
    }
  }

  /// The first bytes of a UTF-8 text, at most `byteCount`, without a part of a character at the end.
  static func prefix(_ byteCount: Int, of text: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    guard text.count > byteCount else { return unsafe text }
    var end = max(0, byteCount)
    while end > 0, unsafe text[end] & 0xc0 == 0x80 { end -= 1 }
    return unsafe UnsafeRawBufferPointer(rebasing: text[..<end])
  }
}
