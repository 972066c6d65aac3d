// Whether bytes are UTF-8: no longer forms than needed, no surrogates, nothing above U+10FFFF.

package enum UTF8Text {
  package static func isValid(_ bytes: some RandomAccessCollection<UInt8>) -> Bool {
    let valid: Bool? = bytes.withContiguousStorageIfAvailable { bytes in
      var place = 0
      while place < bytes.count {
        if unsafe bytes[place] < 0x80 {
          place += 1
        } else {
          let count = unsafe characterByteCount(in: bytes, at: place)
          if count == 0 { return false }
          place += count
        }
      }
      return true
    }
    return valid ?? isValid(Array(bytes))
  }

  /// The size of the character that begins at `place`; 0 if none does.
  package static func characterByteCount(in bytes: UnsafeBufferPointer<UInt8>, at place: Int) -> Int
  {
    let first = unsafe bytes[place]
    if first < 0x80 { return 1 }
    let count = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
    guard first >= 0xc2, first <= 0xf4, place + count <= bytes.count else { return 0 }
    for index in place + 1..<place + count where unsafe bytes[index] & 0xc0 != 0x80 { return 0 }
    let second = unsafe bytes[place + 1]
    switch first {
    case 0xe0 where second < 0xa0, 0xed where second > 0x9f: return 0
    case 0xf0 where second < 0x90, 0xf4 where second > 0x8f: return 0
    default: return count
    }
  }
}
