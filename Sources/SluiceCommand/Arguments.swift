// The words on this program's command line, as bytes and as text. Our own words are text. The words
// of a command that this program becomes are bytes, and need not be UTF-8.

internal import CSluice
internal import CSluiceCommand

package enum Arguments {
  /// Without the program's own name; each without its terminating zero.
  package static let raw: [[UInt8]] = (1..<max(1, sluice_command_word_count())).map { index in
    let word = unsafe sluice_command_word(index)!
    return unsafe Array(UnsafeRawBufferPointer(start: word, count: strlen(word)))
  }

  /// The same; bytes that are not UTF-8 are repaired.
  package static let words: [String] = raw.map { String(decoding: $0, as: UTF8.self) }
}
