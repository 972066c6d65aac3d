// The words on this program's command line, as bytes and as text.

internal import CSluice
internal import CSluiceCommand

package enum Arguments {
  /// Without the program's own name; each without its terminating zero.
  package static let raw: [[UInt8]] = (1..<max(1, sluice_command_word_count())).map { index in
    let word = unsafe sluice_command_word(index)!
    return unsafe Array(UnsafeRawBufferPointer(start: word, count: strlen(word)))
  }

  /// The same as text, of which `zeroTerminated` makes the same bytes, UTF-8 or not.
  package static let words: [String] = raw.map { text(ofBytes: $0) }
}
