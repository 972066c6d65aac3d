// The kernel's text files, read whole and parsed by position: words, lines, numbers. The code is
// small, because libsluice.so contains it too.

/// The text of a file, or of a part of it.
struct PlainText {
  let bytes: [UInt8]
  /// The position of the part.
  var range: Range<Int>

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    range = 0..<bytes.count
  }

  private init(_ bytes: [UInt8], _ range: Range<Int>) {
    self.bytes = bytes
    self.range = range
  }

  var isEmpty: Bool { range.isEmpty }

  func append(to path: inout [UInt8]) {
    for index in range { path.append(bytes[index]) }
  }

  /// Takes the text before the next `separator`, or all of it, off the front; nil when nothing is
  /// left.
  mutating func take(upTo separator: UInt8) -> PlainText? {
    if range.isEmpty { return nil }
    var end = range.lowerBound
    while end < range.upperBound, bytes[end] != separator { end += 1 }
    let part = PlainText(bytes, range.lowerBound..<end)
    range = min(end + 1, range.upperBound)..<range.upperBound
    return part
  }

  /// Takes the next word off the front: the text between separators.
  mutating func takeWord(_ separator: UInt8 = UInt8(ascii: " ")) -> PlainText? {
    while let part = take(upTo: separator) {
      if !part.isEmpty { return part }
    }
    return nil
  }

  mutating func takeLine() -> PlainText? { takeWord(UInt8(ascii: "\n")) }

  static func == (text: PlainText, word: StaticString) -> Bool {
    guard text.range.count == word.utf8CodeUnitCount else { return false }
    for index in 0..<text.range.count
    where unsafe text.bytes[text.range.lowerBound + index] != word.utf8Start[index] {
      return false
    }
    return true
  }

  static func == (text: PlainText, other: PlainText) -> Bool {
    guard text.range.count == other.range.count else { return false }
    for index in 0..<text.range.count
    where text.bytes[text.range.lowerBound + index] != other.bytes[other.range.lowerBound + index] {
      return false
    }
    return true
  }

  /// Whether `word` is in this list, which is separated by commas.
  func lists(_ word: StaticString) -> Bool {
    var rest = self
    while let one = rest.takeWord(UInt8(ascii: ",")) {
      if one == word { return true }
    }
    return false
  }

  /// The number, if the text has only decimal digits. Nil for anything else ("max", "-1") and for a
  /// number that is too large.
  var number: Int64? {
    if range.isEmpty || range.count > 19 { return nil }
    var value: UInt64 = 0
    for index in range {
      let digit = bytes[index] &- 0x30
      if digit > 9 { return nil }
      value = value &* 10 &+ UInt64(digit)
    }
    return Int64(exactly: value)
  }

  /// The number after `name`, in a text with a name and a number on each line.
  func number(named name: StaticString) -> Int64? {
    var rest = self
    while var line = rest.takeLine() {
      if let first = line.takeWord(), first == name { return line.takeWord()?.number }
    }
    return nil
  }
}

/// A path with a suffix.
@inline(never)
func joined(_ path: [UInt8], _ more: StaticString) -> [UInt8] {
  var joined = path
  for index in 0..<more.utf8CodeUnitCount { unsafe joined.append(more.utf8Start[index]) }
  return joined
}

// MARK: Files

/// The text of a file; nil if it cannot be read, or has more bytes than the maximum.
func readText(_ path: [UInt8], byteCountMaximum: Int = 4096) -> PlainText? {
  guard let file = openText(path) else { return nil }
  return readText(file, byteCountMaximum: byteCountMaximum)
}

func readText(_ file: SharedDescriptor, byteCountMaximum: Int = 4096) -> PlainText? {
  var text: [UInt8] = []
  let room = UnsafeMutableRawBufferPointer.allocate(
    byteCount: min(byteCountMaximum + 1, 4096), alignment: 1)
  defer { unsafe room.deallocate() }
  while true {
    let count: Int
    do throws(Errno) {
      count = try unsafe file.descriptor.read(into: room, at: Int64(text.count))
    } catch {
      return nil
    }
    for index in 0..<count { unsafe text.append(room[index]) }
    if text.count > byteCountMaximum { return nil }
    if count < room.count { return PlainText(text) }
  }
}

/// Opens a file for reading, and never waits. `path` is not zero-terminated.
func openText(_ path: [UInt8]) -> SharedDescriptor? {
  var name: [CChar] = []
  for byte in path { name.append(CChar(bitPattern: byte)) }
  name.append(0)
  do throws(Errno) {
    return SharedDescriptor(try unsafe FileDescriptor.open(name, [.readOnly, .nonBlocking]))
  } catch {
    return nil
  }
}
